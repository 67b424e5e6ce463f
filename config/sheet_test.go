package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sheetTemplate = `version: 1
directory: {url: "https://d.example", ca: ca.pem}
connectKey: {env: FIRSTDAY_KEY}
package: {version: "1.4"}
windows:
  computerName: PC-%SERIAL%
  wifi: [{ssid: Staff, password: {file: wifi.key}}]
  payloads: [{file: setup.msi}]
`

// sheetFolder writes a template, a sheet below it, and the files they name.
func sheetFolder(t *testing.T, template, sheet string) (*Sheet, error) {
	t.Helper()
	dir := t.TempDir()
	ca := certificate(t, "Acme Root", func(*x509.Certificate) {})
	for name, text := range map[string]string{
		"firstday.yaml": template, "wifi.key": "correct horse", "setup.msi": msiMagic, "ca.pem": string(toPEM(ca)),
		"list/customers.csv": sheet, "list/acme.key": "fdk_acme", "list/big.msi": msiMagic + "big", "list/ca.pem": string(toPEM(ca)),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, text)
	}
	t.Chdir(dir)
	return LoadSheet("firstday.yaml", filepath.Join("list", "customers.csv"))
}

// check gives every mistake of a sheet, as the command line shows it.
func check(t *testing.T, template, sheet string) string {
	t.Helper()
	s, err := sheetFolder(t, template, sheet)
	if err == nil {
		_, err = s.Check(func(int, *Config) error { return nil })
	}
	var errs Errors
	if err != nil && !errors.As(err, &errs) {
		t.Fatal(err)
	}
	return show(errs)
}

func TestRowsStandInTheTemplate(t *testing.T) {
	table := "folder,organisation.name,directory.url,directory.pin,connectKey.file,package.name,windows.wifi[0].ssid,windows.wifi[1].ssid,windows.wifi[1].security,windows.payloads[0].file,platforms,batch,tags,package.rank,windows.breakGlass.enabled,windows.hideOobe,connectKey.expires,windows.rootCertificates[0]\n" +
		`acme,Acme,,,acme.key,,,,,,windows macos,PO-1,"new, berlin",,,,2099-01-01,` + "\n" +
		"\"müller\",\"Müller, \"\"Söhne\"\"\",https://m.example," + "sha256:" + strings.Repeat("ab", 32) + ",,Muller,Büro,Guests,open,big.msi,,,,7,false,false,,ca.pem\n"
	for what, text := range map[string]string{
		"plain": table, "BOM": "\ufeff" + table, "CRLF": strings.ReplaceAll(table, "\n", "\r\n"),
		"lines left behind": table + ",,,,,,,,,,,,,,,,,\n\n",
		"semicolons":        semicolons(table),
	} {
		s, err := sheetFolder(t, sheetTemplate, text)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(s.Rows) != 2 {
			t.Fatalf("%s: %d rows", what, len(s.Rows))
		}
		acme, err := s.Config(0)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := []any{
			acme.Organisation.Name, acme.Organisation.ID, acme.Directory.URL, acme.Directory.Pin != "", acme.ConnectKey.String(),
			acme.Package.Name, acme.Windows.WiFi[0].SSID, len(acme.Windows.WiFi), filepath.ToSlash(string(acme.Windows.Payloads[0].File)), acme.ConnectKey.Expires.Year(),
		}; !cmp.Equal(got, []any{
			"Acme", "acme", "https://d.example", true, "file " + filepath.Join("list", "acme.key"),
			"Acme", "Staff", 1, "setup.msi", 2099,
		}) {
			t.Errorf("%s: the first row gives %v", what, got)
		}
		if r := s.Rows[0]; r.Folder != "acme" || r.Batch != "PO-1" || !slices.Equal(r.Tags, []string{"new", "berlin"}) || !slices.Equal(r.Platforms, []string{"windows", "macos"}) {
			t.Errorf("%s: the first row is %+v", what, r)
		}
		m, err := s.Config(1)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := []any{
			m.Organisation.Name, m.Directory.Pin, m.ConnectKey.String(), m.Package.Name, m.Package.Version, m.Package.Rank, m.Windows.WiFi[0].SSID,
			m.Windows.WiFi[1].SSID, m.Windows.WiFi[1].Security, filepath.ToSlash(string(m.Windows.Payloads[0].File)), m.Windows.HideOOBE, len(m.Windows.RootCertificates[0].Certificates),
		}; !cmp.Equal(got, []any{
			`Müller, "Söhne"`, "sha256:" + strings.Repeat("ab", 32), "environment variable FIRSTDAY_KEY", "Muller", "1.4", 7, "Büro",
			"Guests", Open, "list/big.msi", false, 1,
		}) {
			t.Errorf("%s: the second row gives %v", what, got)
		}
	}
}

// semicolons is a table as spreadsheets of half of Europe write it.
func semicolons(table string) string {
	quoted := false
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return ';'
		}
		return c
	}, table)
}

func TestMistakesInSheetsAreToldWhereTheyStand(t *testing.T) {
	many := "folder\n" + strings.Repeat("x\n", MaxRows+1)
	for _, test := range []struct{ what, template, sheet, want string }{
		{"unknown column", "", "folder,organisation\nx,y\n", "customers.csv:1:8: organisation is more than one value"},
		{"misspelled column", "", "folder,organisation.nam\nx,y\n", "did you mean organisation.name?"},
		{"no column of this kind", "", "folder,windows.wifi.ssid\nx,y\n", "the column \"windows.wifi.ssid\" is not known"},
		{"far index", "", "folder,windows.wifi[99].ssid\nx,y\n", "is not known"},
		{"odd index", "", "folder,windows.wifi[01].ssid\nx,y\n", "is not known"},
		{"secret as column", "", "folder,connectKey\nx,hunter2\n", "connectKey is a secret, which must not stand in a table"},
		{"signer", "", "folder,signing.key\nx,y\n", "a batch has one signer"},
		{"column twice", "", "folder,folder\nx,y\n", "customers.csv:1:8: the column \"folder\" is there twice"},
		{"column without a name", "", "folder,\nx,y\n", "customers.csv:1:8: a column has no name"},
		{"no folder column", "", "organisation.name\nx\n", "the table has no column folder"},
		{"empty", "", "", "the table is empty"},
		{"no rows", "", "folder\n", "the table has no rows"},
		{"too many rows", "", many, "more than 10000 rows"},
		{"field count", "", "folder,organisation.name\nx\n", "customers.csv:2:1: the line has not as many values as there are columns"},
		{"quotes", "", "folder,organisation.name\nx,a\"b\n", "customers.csv:2:4: the line is not CSV"},
		{"Latin-1", "", "folder\nm\xfcller\n", "customers.csv:2:1: the line is not UTF-8 text"},
		{"UTF-16", "", "\xff\xfef\x00", "the table is UTF-16 text"},
		{"escape", "", "folder\n../up\n", `customers.csv:2:1: folder: "../up" holds a path separator`},
		{"backslash", "", "folder\n..\\up\n", `holds a path separator`},
		{"dots", "", "folder\n..\n", `folder: ".." is not a file's name`},
		{"hidden", "", "folder\n.git\n", "would be hidden"},
		{"device", "", "folder\nnul.txt\n", "is the name of a Windows device"},
		{"drive", "", "folder\nC:\n", "which Windows forbids"},
		{"dot at the end", "", "folder\nacme.\n", "ends with a dot"},
		{"report", "", "folder\nBatch.JSON\n", "the report of the batch is called so"},
		{"no folder", "", "folder,organisation.name\n,Acme\n", `customers.csv:2:1: folder: "" is not a file's name`},
		{"line break", "", "folder,organisation.name\n\"a\nb\",Acme\n", "holds a character that cannot be shown"},
		{"duplicate", "", "folder\nAcme\nx\nacme\n", `customers.csv:4:1: folder "acme" is that of line 2, too`},
		{"duplicate in another form", "", "folder\nm\u00fcller\nmu\u0308ller\n", `is that of line 2, too`},
		{"platform", "", "folder,platforms\nx,windows linux\n", "customers.csv:2:3: platforms: write windows, macos or both"},
		{"tags", "", "folder,tags\nx,\"" + strings.Repeat("a,", 21) + "\"\n", "21 tags; at most 20 are allowed"},
		{"tag", "", "folder,tags\nx,a\x1bb\n", "all of which can be shown"},
		{"number", sheetTemplate, "folder,organisation.name,package.rank\nx,Acme,high\n", "customers.csv:2:8: rank is text; it must be a whole number"},
		{"rule", sheetTemplate, "folder,organisation.name,directory.url\nx,Acme,http://d.example\n", "customers.csv:2:8: url begins with \"http:\""},
		{"column counts characters", sheetTemplate, "folder,organisation.name,directory.url\nä,Öl,http://d.example\n", "customers.csv:2:6: url begins"},
		{"rule of two values", sheetTemplate, "folder,organisation.name,windows.hideOobe,windows.breakGlass.enabled\nx,Acme,true,false\n", "customers.csv:2:8: hideOobe without"},
		{"what a row makes is not whole", sheetTemplate, "folder,organisation.name,windows.wifi[1].ssid\nx,Acme,Guests\n", "customers.csv:2:8: "},
		{"gap in a list", sheetTemplate, "folder,organisation.name,windows.wifi[2].ssid\nx,Acme,Guests\n", "customers.csv:2:8: "},
		{"missing file", sheetTemplate, "folder,organisation.name,connectKey.file\nx,Acme,none.key\n", "customers.csv:2:8: list/none.key does not exist"},
		{"template lacks a value", sheetTemplate, "folder\nx\ny\n", "error: firstday.yaml: the file has no organisation\n"},
		{"mistake of the template", strings.Replace(sheetTemplate, "1.4", "one", 1), "folder,organisation.name\nx,Acme\ny,Beta\n", "firstday.yaml:4:20: version is \"one\"; it must be two to four numbers up to 65535 with dots between\n"},
		{"mistake with one row", sheetTemplate, "folder,organisation.name,windows.breakGlass.name\nx,Acme,\ny,Beta,PC-1234567\nz,Gamma,\n", ""},
		{"no template", "version: [", "folder\nx\n", "firstday.yaml:1"},
	} {
		template := test.template
		if template == "" {
			template = sheetTemplate
		}
		got := check(t, template, test.sheet)
		if test.want == "" && got != "" || !strings.Contains(filepath.ToSlash(got), test.want) {
			t.Errorf("%s: got\n%s\nwant %s", test.what, got, test.want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the secret is shown:\n%s", test.what, got)
		}
	}
}

// TestTemplatesMistakeNamesTheRowThatShowsIt where others do not.
func TestTemplatesMistakeNamesTheRowThatShowsIt(t *testing.T) {
	template := strings.Replace(sheetTemplate, "  computerName", "  breakGlass: {enabled: false}\n  computerName", 1)
	got := check(t, template, "folder,organisation.name,windows.hideOobe\nx,Acme,false\ny,Beta,\n")
	if !strings.Contains(filepath.ToSlash(got), "firstday.yaml:6:25: hideOobe without a break-glass account would leave devices that nobody can sign in to (with the row at list/customers.csv:3)") {
		t.Errorf("got\n%s", got)
	}
}

// TestTenThousandRows are each a configuration.
func TestTenThousandRows(t *testing.T) {
	var b strings.Builder
	b.WriteString("folder,organisation.name,connectKey.file\n")
	for i := range MaxRows {
		fmt.Fprintf(&b, "site-%d,Site %d,acme.key\n", i, i)
	}
	s, err := sheetFolder(t, sheetTemplate, b.String())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	if _, err := s.Check(func(_ int, c *Config) error {
		names[c.Organisation.Name] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(names) != MaxRows {
		t.Errorf("%d organisations", len(names))
	}
}

// FuzzSheet reads tables of any kind: no panic, no folder that leads elsewhere.
func FuzzSheet(f *testing.F) {
	for _, seed := range []string{
		"folder,organisation.name\nacme,Acme\n", "\ufefffolder;platforms;tags\r\nx;windows macos;a,b\r\n",
		"folder\n\"a\nb\"\n", "folder,windows.wifi[1].ssid,windows.wifi[0].password.env,directory.pin\nx,y,Z,q\n",
		"folder,windows.policies\nx,y\n", "folder\n../x\n", "folder\tconnectKey.expires\nx\t2099-01-01\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newReport("firstday.yaml", testNow)
		s := &Sheet{file: "customers.csv", name: "firstday.yaml", root: r.document([]byte(sheetTemplate)), lines: r.lines}
		if errs := s.parse([]byte(text)); len(errs) > 0 {
			if strings.Contains(show(told(errs)), "\x1b") {
				t.Errorf("mistakes hold an escape: %q", show(errs))
			}
			return
		}
		for i := range s.Rows[:min(len(s.Rows), 10)] {
			if name := s.Rows[i].Folder; name != filepath.Base(name) || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") {
				t.Errorf("folder %q", name)
			}
			s.fill(i, newReport("firstday.yaml", testNow))
		}
	})
}
