//go:build !windows

package loginplugin_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
	"firstday.dev/internal/testvectors"
)

// vectors are those of the local protocol.
const vectors = "../local/testdata"

// core is the program that tries the core.
type core string

// withSanitizers builds the core for this system.
func withSanitizers(t *testing.T) core {
	t.Helper()
	program := filepath.Join(t.TempDir(), "core")
	out, err := exec.Command(testtool.Need(t, "gcc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-g",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program,
		"testdata/core/main.c", "native/core.c", "native/desk.c", "native/page.c", "native/origin.c", "native/json.c", "native/networks.c",
		"../local/reference/surface.c", "../local/reference/requests.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return core(program)
}

func (c core) run(t *testing.T, in []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command(string(c), args...)
	cmd.Stdin = bytes.NewReader(in)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &problems)
	}
	return strings.TrimSpace(string(out))
}

// item is a field or an action on a page.
type item struct{ Name, Kind, Rank, Label string }

// page is what a page is told of a screen.
type page struct {
	texts           map[string]string
	Fields, Actions []item
	QR              []string
}

// read takes what the core writes: JSON in UTF-8, with nothing in it that begins a tag.
func read(t *testing.T, line string) (p page) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(line), &p); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := json.Unmarshal([]byte(line), &all); err != nil || strings.ContainsAny(line, "<>&\u2028\u2029") {
		t.Fatalf("%s: %v", line, err)
	}
	p.texts = make(map[string]string)
	for key, value := range all {
		if text, ok := value.(string); ok && text != "no" && key != "heard" {
			p.texts[key] = text
		}
	}
	for _, number := range []string{"serial", "left"} {
		if n, err := strconv.ParseInt(p.texts[number], 10, 64); err == nil {
			p.texts[number] = fmt.Sprint(min(n, 31536000))
		}
	}
	for i := range p.Fields {
		if k := p.Fields[i].Kind; k != "text" && k != "digits" && k != "secret-digits" {
			p.Fields[i].Kind = "secret"
		}
	}
	for i := range p.Actions {
		if p.Actions[i].Rank != "primary" {
			p.Actions[i].Rank = "secondary"
		}
	}
	return p
}

// onPage is what a page is told of what a surface has understood, and the end.
func onPage(t *testing.T, understood string) (pages []page, end string) {
	t.Helper()
	names := map[string]string{
		"device.managed": "managed", "device.name": "name", "device.serial": "serialnumber", "device.model": "model", "device.os": "os", "device.organisation": "organisation",
	}
	inScreen := false
	lines := strings.Split(understood, "\n")
	for _, line := range lines[:len(lines)-1] {
		key, value, pair := strings.Cut(line, "=")
		if !pair {
			serial, screen := strings.CutPrefix(line, "screen ")
			if inScreen = screen; screen {
				n, err := strconv.ParseInt(serial, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				pages = append(pages, page{texts: map[string]string{"kind": "screen", "serial": fmt.Sprint(min(n, 31536000))}, Fields: []item{}, Actions: []item{}, QR: []string{}})
			}
			continue
		}
		if key == "page" {
			value = "yes" // the address is for nobody to see
		}
		if !inScreen || key == "logon" || key == "qrtext" || key == "origin" || key == "anchor" {
			continue
		}
		p := &pages[len(pages)-1]
		value = unescaped(t, value)
		switch parts := strings.SplitN(value, " ", 3); key {
		case "field":
			p.Fields = append(p.Fields, item{Name: parts[0], Kind: parts[1], Label: parts[2]})
		case "action":
			p.Actions = append(p.Actions, item{Name: parts[0], Rank: parts[1], Label: parts[2]})
		case "qr":
			p.QR = append(p.QR, value)
		default:
			if name := names[key]; name != "" {
				key = name
			}
			p.texts[key] = value
		}
	}
	return pages, lines[len(lines)-1]
}

func unescaped(t *testing.T, value string) string {
	t.Helper()
	parts := strings.Split(value, "%")
	for i, p := range parts[1:] {
		c, err := strconv.ParseUint(p[:2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		parts[i+1] = string(rune(c)) + p[2:]
	}
	return strings.Join(parts, "")
}

func TestCoreTellsThePageTheVectors(t *testing.T) {
	c := withSanitizers(t)
	streams, want := testvectors.Service(t, vectors)
	for name, stream := range streams {
		pages, end := onPage(t, want[name])
		if text := "\n" + want[name]; strings.Contains(text, "\nerror ") || strings.Contains(text, "\nok logon") {
			end = "refused" // words that nothing was said for
		}
		lines := strings.Split(c.run(t, stream, "show", "1"), "\n")
		var got []page
		for _, line := range lines[:len(lines)-1] {
			got = append(got, read(t, line))
		}
		if diff := cmp.Diff(pages, got, cmp.AllowUnexported(page{})); diff != "" || lines[len(lines)-1] != end {
			t.Errorf("%s ends with %s, not %s (-want +got):\n%s", name, lines[len(lines)-1], end, diff)
		}
	}
}

// Whatever a service sends, the core stays in its bounds.
func TestCoreSurvivesAnyFrames(t *testing.T) {
	const count = 12000
	got := withSanitizers(t).run(t, testvectors.Frames(t, vectors, 7, count), "frames")
	t.Log(got)
	var all, whole, typed, answers int
	_, err := fmt.Sscanf(got, "%d frames, %d to the end, %d typed into, %d answers", &all, &whole, &typed, &answers)
	if err != nil || all != count || whole < count/10 || typed < count/10 || answers < 100 {
		t.Errorf("%s, %v", got, err)
	}
}

// Whatever a page says, only requests of the protocol reach the service.
func TestCoreSurvivesAnyPage(t *testing.T) {
	const count = 12000
	said := []string{
		"field number 47\nact submit 7", "act start 7 same-device", "login\nann\n100%25 x", "login\nann\n", "refresh", "apple", "ready\n", "show", "shut", "portal", "",
		"ask network", "ask power restart", "field name A\nfield password p\nask join", "wlan scan", "field name A%25\nfield hidden yes\nfield password p\nwlan join",
		"field a " + strings.Repeat("b", 1013) + "\nact submit 7", "field a " + strings.Repeat("b", 1020) + "\nact submit 7", strings.Repeat("field a b\n", 1200) + "act submit 7",
	}
	random := rand.New(rand.NewPCG(7, 7))
	var in []byte
	for range count {
		text := []byte(said[random.IntN(len(said))])
		for range random.IntN(3) {
			at := random.IntN(len(text) + 1)
			text = append(text[:at:at], append([]byte{byte(random.IntN(256))}, text[at:]...)...)
		}
		in = binary.LittleEndian.AppendUint32(in, uint32(len(text)))
		in = append(in, text...)
	}
	got := withSanitizers(t).run(t, in, "page")
	t.Log(got)
	var all, taken int
	if _, err := fmt.Sscanf(got, "%d frames, %d taken", &all, &taken); err != nil || all != count || taken < count/10 || taken > count*9/10 {
		t.Errorf("%s, %v", got, err)
	}
}

// What was typed, and what came to log on with, is gone when it was used, and is
// for who typed it only; and no answer is waited for without end. The program
// itself asserts it.
func TestCoreKeepsNoSecrets(t *testing.T) {
	c := withSanitizers(t)
	for _, what := range []string{"secrets", "times"} {
		if got := c.run(t, nil, what); got != "done" {
			t.Errorf("%s: %s", what, got)
		}
	}
}
