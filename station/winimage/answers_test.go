package winimage

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"firstday.dev/internal/testtool"
)

// Windows takes at most 259 characters.
func TestCommandIsShortEnough(t *testing.T) {
	if len(Command) > 259 {
		t.Errorf("%d characters", len(Command))
	}
}

// What the documentation tells to add is what is added.
func TestDocumentedCommand(t *testing.T) {
	text, err := os.ReadFile("../../docs/windows-images.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("<Path>"+Command+"</Path>")) {
		t.Errorf("docs/windows-images.md has another command than\n%s", Command)
	}
}

// theirs is an answer file of an organisation: with comments, a prefix of its own,
// passes that are not ours, and commands in one component.
const theirs = `<?xml version="1.0" encoding="utf-8"?>
<!-- kept by Ann -->
<u:unattend xmlns:u="urn:schemas-microsoft-com:unattend" xmlns:w="http://schemas.microsoft.com/WMIConfig/2002/State">
  <u:settings pass="oobeSystem"><u:component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64"/></u:settings>
  <u:settings pass="specialize">
    <u:component name="Microsoft-Windows-Deployment" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
      <u:RunSynchronous>
        <u:RunSynchronousCommand w:action="add"><u:Order>7</u:Order><u:Path>cmd /c ver &amp; rem &#xA9;</u:Path></u:RunSynchronousCommand>
      </u:RunSynchronous>
    </u:component>
  </u:settings>
</u:unattend>
`

func TestAddCommand(t *testing.T) {
	xmllint := testtool.Need(t, "xmllint")
	older := strings.Replace(theirs, "<u:RunSynchronous>", `<u:RunSynchronous><u:RunSynchronousCommand w:action="add"><u:Order>3</u:Order><u:Description>Firstday</u:Description><u:Path>old</u:Path></u:RunSynchronousCommand>`, 1)
	for name, test := range map[string]struct {
		text   string
		orders []string // of our commands
		kept   []string
	}{
		"none":             {"", []string{"1", "1"}, nil},
		"theirs":           {theirs, []string{"8", "1"}, []string{"<!-- kept by Ann -->", `pass="oobeSystem"`, "<u:Path>cmd /c ver &amp; rem ©</u:Path>"}},
		"with a mark":      {"\ufeff" + theirs, []string{"8", "1"}, nil},
		"of an older kit":  {older, []string{"8", "1"}, nil},
		"empty, of theirs": {`<unattend xmlns="urn:schemas-microsoft-com:unattend"/>`, []string{"1", "1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var in []byte
			if test.text != "" {
				in = []byte(test.text)
			}
			out, err := AddCommand(in)
			if err != nil {
				t.Fatal(err)
			}
			lint := exec.Command(xmllint, "--noout", "-")
			lint.Stdin = bytes.NewReader(out)
			if said, err := lint.CombinedOutput(); err != nil {
				t.Errorf("xmllint: %v: %s\n%s", err, said, out)
			}
			doc := etree.NewDocument()
			if err := doc.ReadFromBytes(out); err != nil {
				t.Fatal(err)
			}
			var orders []string
			for _, path := range doc.FindElements("//RunSynchronousCommand/Path") {
				if path.Text() != Command {
					if path.Text() == "old" {
						t.Error("an older command of ours is still there")
					}
					continue
				}
				for e := path; e != nil && e.Parent() != nil && e.Tag != ""; e = e.Parent() {
					if e.NamespaceURI() != unattendSpace {
						t.Errorf("<%s> is in the namespace %q", e.Tag, e.NamespaceURI())
					}
				}
				orders = append(orders, text(path.Parent(), "Order"))
			}
			if strings.Join(orders, " ") != strings.Join(test.orders, " ") {
				t.Errorf("orders %q, want %q\n%s", orders, test.orders, out)
			}
			for _, kept := range test.kept {
				if !bytes.Contains(out, []byte(kept)) {
					t.Errorf("lost: %s\n%s", kept, out)
				}
			}
			if again, err := AddCommand(out); err != nil || !bytes.Equal(again, out) {
				t.Errorf("again: %v\n%s", err, again)
			}
		})
	}
}

func FuzzAddCommand(f *testing.F) {
	f.Add([]byte(theirs))
	f.Add([]byte(`<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"/></unattend>`))
	f.Add([]byte("<!DOCTYPE a [<!ENTITY b 'c'>]><unattend/>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := AddCommand(text)
		if err != nil {
			return
		}
		if again, err := AddCommand(out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%q became %q, and then %q: %v", text, out, again, err)
		}
	})
}
