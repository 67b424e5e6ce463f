package ppkg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// projectFiles are what classroom names; one in another case.
var projectFiles = fstest.MapFS{
	"provision.cmd": {Data: []byte("rem provision\r\n")},
	"psexec64.EXE":  {Data: []byte("MZ")},
}

func classroom(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/project/customizations.xml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestProjectCompilesToTheGoldenTree(t *testing.T) {
	p, err := ReadCustomizations(bytes.NewReader(classroom(t)), AssetsFrom(projectFiles))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "project-tree", p)
}

// A project goes into its package as it was, but for line ends and the case of
// the package's id.
func TestProjectIsKeptInThePackage(t *testing.T) {
	p, err := ReadCustomizations(bytes.NewReader(classroom(t)), AssetsFrom(projectFiles))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Compile(context.Background(), p, testTime)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(strings.TrimSpace(string(classroom(t))), "\n", "\r\n")
	want = bom + strings.NewReplacer("CF580D1F", "cf580d1f").Replace(want)
	if diff := cmp.Diff(want, contents(t, tree)["Multivariant/0/customizations.xml"]); diff != "" {
		t.Error(diff)
	}
}

func TestOurProjectReadsBackToTheSameTree(t *testing.T) {
	want, err := Compile(context.Background(), everything(t), testTime)
	if err != nil {
		t.Fatal(err)
	}
	wanted := contents(t, want)
	files := fstest.MapFS{
		"Test Root.cer": {Data: testCertificate(t).Raw},
		"Device.pfx":    {Data: []byte("not really PKCS#12")},
	}
	for path, data := range wanted {
		if rest, ok := strings.CutPrefix(path, "DataAsset/"); ok && strings.Contains(rest, "/") {
			files[baseName(path)] = &fstest.MapFile{Data: []byte(data)}
		}
	}
	p, err := ReadCustomizations(strings.NewReader(wanted["Multivariant/0/customizations.xml"]), AssetsFrom(files))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Compile(context.Background(), p, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, contents(t, got)); diff != "" {
		t.Error(diff)
	}
}

func TestProjectsEncodings(t *testing.T) {
	text := string(classroom(t))
	utf16Bytes := func(order binary.AppendByteOrder, s string) []byte {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = order.AppendUint16(b, u)
		}
		return b
	}
	_, bare, _ := strings.Cut(text, "?>")
	labelled := strings.Replace(text, "utf-8", "utf-16", 1)
	for name, data := range map[string][]byte{
		"UTF-8 with a mark":       []byte(bom + text),
		"UTF-16LE with a mark":    utf16Bytes(binary.LittleEndian, bom+labelled),
		"UTF-16BE with a mark":    utf16Bytes(binary.BigEndian, bom+labelled),
		"UTF-16LE without a mark": utf16Bytes(binary.LittleEndian, labelled),
		"no declaration":          []byte(bare),
		"CR LF":                   []byte(strings.ReplaceAll(text, "\n", "\r\n")),
	} {
		if _, err := ReadCustomizations(bytes.NewReader(data), AssetsFrom(projectFiles)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissingFilesAreListed(t *testing.T) {
	for _, assets := range []Assets{nil, AssetsFrom(fstest.MapFS{})} {
		_, err := ReadCustomizations(bytes.NewReader(classroom(t)), assets)
		var missing *MissingFilesError
		if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("error %v", err)
		}
		if diff := cmp.Diff([]MissingFile{{`C:\Users\author\provision.cmd`, 53}, {`C:\tools\Psexec64.exe`, 57}}, missing.Files); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAssetsAreFoundByTheirBaseNameOnly(t *testing.T) {
	find := AssetsFrom(projectFiles)
	for _, path := range []string{"provision.cmd", `C:\a\PROVISION.CMD`, "/home/x/provision.cmd", `..\..\provision.cmd`} {
		if _, err := find(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"", ".", "..", `C:\`, `C:\provision.cmd\`, "no.cmd"} {
		if _, err := find(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: error %v", path, err)
		}
	}
}

// withSettings is a project of the settings in the given XML.
func withSettings(settings string) string {
	return `<WindowsCustomizations>
<PackageConfig xmlns="` + configNamespace + `"><ID>{cf580d1f-b5ed-4262-ad30-2c56c7d10393}</ID><Name>x</Name><OwnerType>ITAdmin</OwnerType></PackageConfig>
<Settings xmlns="` + settingsNamespace + `" xmlns:fd="` + Namespace + `"><Customizations><Common>
` + settings + `
</Common></Customizations></Settings></WindowsCustomizations>`
}

func TestUnknownSettingsAndValuesAreNamedWithTheirLine(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		want     error
		message  string
	}{
		"setting":          {"\n<Foo><Bar>1</Bar></Foo>", ErrUnknownSetting, "line 5: Foo/Bar: unknown setting"},
		"policy":           {"<Policies><NoArea><NoName>1</NoName></NoArea></Policies>", ErrUnknownSetting, "line 4: Policies/NoArea/NoName: unknown"},
		"field of a user":  {`<Accounts><Users><User UserName="a"><Shoe>1</Shoe></User></Users></Accounts>`, ErrUnknownSetting, "Accounts/Users/User/Shoe"},
		"DNSComputerName":  {"<DevDetail><DNSComputerName>x</DNSComputerName></DevDetail>", ErrUnknownSetting, "DevDetail/DNSComputerName"},
		"label":            {"<OOBE><Desktop><HideOobe>Perhaps</HideOobe></Desktop></OOBE>", ErrValue, `"Perhaps", not one of True, False`},
		"user group":       {`<Accounts><Users><User UserName="a"><UserGroup>Kings</UserGroup></User></Users></Accounts>`, ErrValue, "not one of Administrators, Standard Users"},
		"type":             {`<Policies><A><B fd:type="float">1</B></A></Policies>`, nil, `fd:type: type "float"`},
		"explicit integer": {`<Policies><A><B fd:type="integer">Yes</B></A></Policies>`, ErrValue, "Policies/A/B"},
		"explicit boolean": {`<Policies><A><B fd:type="boolean">True</B></A></Policies>`, ErrValue, `"True" is neither true nor false`},
		"too large":        {`<Policies><A><B fd:type="integer">4294967296</B></A></Policies>`, ErrValue, "32 bits"},
		"csp":              {`<X><B fd:type="integer" fd:csp="only">1</B></X>`, nil, "fd:csp"},
		"no csp":           {`<X><B fd:type="integer">1</B></X>`, ErrUnknownSetting, "X/B"},
		"security":         {`<ConnectivityProfiles><WLAN><WLANSetting><WLANConfig SSID="a"><WLANXmlSettings><SecurityType>WEP</SecurityType></WLANXmlSettings></WLANConfig></WLANSetting></WLAN></ConnectivityProfiles>`, ErrValue, "WEP"},
		"short key":        {`<ConnectivityProfiles><WLAN><WLANSetting><WLANConfig SSID="a"><WLANXmlSettings><SecurityKey>short</SecurityKey></WLANXmlSettings></WLANConfig></WLANSetting></WLAN></ConnectivityProfiles>`, nil, "5 characters"},
		"twice":            {"<OOBE><Desktop><HideOobe>True</HideOobe><HideOobe>True</HideOobe></Desktop></OOBE>", errTwice, "line 4: Desktop/HideOobe"},
		"user twice":       {`<Accounts><Users><User UserName="a"/><User UserName="A"/></Users></Accounts>`, errTwice, `Users/User "A"`},
		"csp twice":        {`<A><B fd:type="integer" fd:csp="x/y">1</B><C fd:type="integer" fd:csp="X/Y">1</C></A>`, nil, "the same as 0__A_B.provxml"},
		"nameless command": {`<ProvisioningCommands><PrimaryContext><Command><CommandConfig><CommandLine>x</CommandLine></CommandConfig></Command></PrimaryContext></ProvisioningCommands>`, nil, "has no Name"},
	} {
		_, err := ReadCustomizations(strings.NewReader(withSettings(c.settings)), nil)
		var setting *SettingError
		if !errors.As(err, &setting) || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s: error %v, want %q", name, err, c.message)
		}
	}
}

func TestExplicitSettingsAreTakenAtTheirWord(t *testing.T) {
	p, err := ReadCustomizations(strings.NewReader(withSettings(`
		<Policies><New><Thing fd:type="integer">7</Thing></New></Policies>
		<SharedPC><DeletionPolicy fd:type="integer" fd:csp="SharedPC/DeletionPolicy">1</DeletionPolicy></SharedPC>`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Compile(context.Background(), p, testTime)
	if err != nil {
		t.Fatal(err)
	}
	want := []Parm{
		{"Policies/New/Thing", []string{"Policy", "Config", "New"}, "Thing", Integer, "7"},
		{"SharedPC/DeletionPolicy", []string{"SharedPC"}, "DeletionPolicy", Integer, "1"},
	}
	var got []Parm
	for _, e := range tree.Entries {
		got = append(got, e.Parms...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotAProjectIsRefused(t *testing.T) {
	good := withSettings("")
	for name, text := range map[string]string{
		"nothing":              "",
		"text":                 "hello",
		"another root":         "<a/>",
		"two roots":            good + "<a/>",
		"not closed":           good[:len(good)-5],
		"crossed":              "<a><b></a></b>",
		"entity":               strings.Replace(good, ">x<", ">&bomb;<", 1),
		"document type":        "<!DOCTYPE a [<!ENTITY x 'y'>]>" + good,
		"duplicate attribute":  `<WindowsCustomizations a="1" a="2"/>`,
		"control character":    strings.Replace(good, ">x<", ">\x01<", 1),
		"not UTF-8":            strings.Replace(good, ">x<", ">\xff<", 1),
		"half a UTF-16":        "\xff\xfe<",
		"half a surrogate":     "\xff\xfe\x00\xd8",
		"other encoding":       `<?xml version="1.0" encoding="iso-8859-1"?>` + good,
		"deep":                 strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"text beside elements": strings.Replace(good, "<Common>", "<Common>text<a/>", 1),
		"no PackageConfig":     `<WindowsCustomizations><Settings xmlns="` + settingsNamespace + `"/></WindowsCustomizations>`,
		"namespace":            strings.Replace(good, configNamespace, "urn:other", 1),
		"id":                   strings.Replace(good, "{cf58", "{zz58", 1),
		"owner":                strings.Replace(good, "ITAdmin", "Me", 1),
		"no name":              strings.Replace(good, "<Name>x</Name>", "", 1),
		"unknown element":      strings.Replace(good, "<Name>", "<Nome>1</Nome><Name>", 1),
		"name twice":           strings.Replace(good, "<Name>", "<Name>1</Name><Name>", 1),
	} {
		if _, err := ReadCustomizations(strings.NewReader(text), nil); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := ReadCustomizations(strings.NewReader(strings.Replace(good, "<Common>", "<Targets/><Common>", 1)), nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("targets: error %v", err)
	}
	if _, err := ReadCustomizations(endless{}, nil); !errors.Is(err, ErrSyntax) {
		t.Errorf("endless: error %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestPackagesThatWindowsWouldRefuse(t *testing.T) {
	for name, change := range map[string]func(*Package){
		"no id":              func(p *Package) { p.ID = [16]byte{} },
		"no name":            func(p *Package) { p.Name = " " },
		"version":            func(p *Package) { p.Version = "one" },
		"rank":               func(p *Package) { p.Rank = 100 },
		"owner":              func(p *Package) { p.Owner = 0 },
		"control character":  func(p *Package) { p.Notes = "\x02" },
		"in a setting":       func(p *Package) { p.Settings = []Setting{ComputerName("\x02")} },
		"empty setting":      func(p *Package) { p.Settings = []Setting{{}} },
		"two computer names": func(p *Package) { p.Settings = []Setting{ComputerName("a"), ComputerName("b")} },
		"name of a file":     func(p *Package) { p.Settings = []Setting{command(NewFile("../x", nil))} },
		"two files of a name": func(p *Package) {
			p.Settings = []Setting{command(NewFile("a.txt", nil), NewFile("A.TXT", nil))}
		},
		"two names for a root": func(p *Package) {
			p.Settings = []Setting{RootCertificate("a", testCertificate(t)), RootCertificate("b", testCertificate(t))}
		},
		"policy's value": func(p *Package) { p.Settings = []Setting{Policy("A", "B", Integer, "x")} },
		"policy's name":  func(p *Package) { p.Settings = []Setting{Policy("A/B", "C", Integer, "1")} },
	} {
		p := minimal()
		change(p)
		if _, err := Compile(context.Background(), p, testTime); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func command(files ...*File) Setting {
	return Command{Name: "x", Line: "x", File: files[0], Dependencies: files[1:]}.Setting()
}

func TestNamesSurviveTheirEncoding(t *testing.T) {
	for _, name := range []string{"Plain", "Chrome~Policy~googlechrome", "7Zip", "_x007E_", "a_x0041_b", "-x", "x_"} {
		if encoded := encodeName(name); decodeName(encoded) != name || !isName(encoded) {
			t.Errorf("%s: %s: %s", name, encoded, decodeName(encoded))
		}
	}
}
