package order

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testtool"
	templates "firstday.dev/templates/order"
)

var at = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func bundleOf(organisation string) *templates.Bundle {
	return &templates.Bundle{
		PO: "PO-4711", Partner: "Κιβώτιο Коробка Ltd", Organisation: organisation, Quantity: 5, Listed: true, Tags: []string{"sales", "Łódź"}, ExpiresAt: at,
		Packages: []templates.Package{
			{System: "Windows", File: "Ærøskøbing.ppkg", SHA256: strings.Repeat("0123456789abcdef", 4)},
			{System: "macOS", File: "Ærøskøbing.pkg", SHA256: strings.Repeat("fedcba9876543210", 4)},
		},
	}
}

// told runs a program that looks at the page.
func told(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), testtool.Need(t, program), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

// words gives a text with one space between words, whatever was there.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// The page is one, holds every word, and is the same each time.
func TestPrintedInstructions(t *testing.T) {
	page := bundleOf("Ærøskøbing Møbler – Łódź").Page()
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if missing, err := writePDF(b, page, at); err != nil || missing {
			t.Fatalf("%v, %v", missing, err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same instructions give another file the second time")
	}
	file := filepath.Join(t.TempDir(), PrintFile)
	if err := os.WriteFile(file, first.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if info := words(told(t, "pdfinfo", file)); !strings.Contains(info, "Pages: 1 ") || !strings.Contains(info, "Page size: 595.28 x 841.89 pts (A4)") || !strings.Contains(info, "Title: 5 laptops for Ærøskøbing Møbler – Łódź") {
		t.Error(info)
	}
	if checked := told(t, "qpdf", "--check", file); !strings.Contains(checked, "No syntax or stream encoding errors found") {
		t.Error(checked)
	}
	text := words(told(t, "pdftotext", "-layout", file, "-"))
	want := []string{page.Title}
	for _, f := range page.Facts {
		want = append(want, f.Name, f.Value)
	}
	for _, s := range page.Steps {
		want = append(append(want, s.Title, s.Text, s.After), s.Commands...)
	}
	for _, w := range want {
		if !strings.Contains(text, words(w)) {
			t.Errorf("%q is missing in\n%s", w, text)
		}
	}
}

// Whatever names are, the page is one; a script that the fonts lack is told.
func TestPrintedInstructionsOfLongAndForeignNames(t *testing.T) {
	for name, organisation := range map[string]string{"long": strings.Repeat("WWWW ", 60), "one long word": strings.Repeat("W", 250), "Japanese": "株式会社ファーストデイ", "Hebrew": "היום הראשון", "an emoji": "Acme 🎁"} {
		b := bundleOf(organisation)
		b.PO, b.Partner = strings.Repeat("W", 64), strings.Repeat("W", 250)
		b.Tags = strings.Split(strings.Repeat("WWWWWWWW,", 20), ",")
		for i := range b.Packages {
			b.Packages[i].File = strings.Repeat("W", 250) + ".pkg"
		}
		var out bytes.Buffer
		missing, err := writePDF(&out, b.Page(), at)
		if err != nil || missing != !strings.Contains(name, "long") {
			t.Errorf("%s: %v, %v", name, missing, err)
			continue
		}
		file := filepath.Join(t.TempDir(), PrintFile)
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if info := words(told(t, "pdfinfo", file)); !strings.Contains(info, "Pages: 1 ") {
			t.Errorf("%s: %s", name, info)
		}
		told(t, "qpdf", "--check", file)
	}
}
