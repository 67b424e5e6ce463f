package ppkg

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/ppkg/wim"
)

func TestOurPackagesHaveNothingToFind(t *testing.T) {
	for name, p := range map[string]*Package{"minimal": minimal(), "everything": everything(t)} {
		r := openFile(t, writeFile(t, p))
		if findings := r.Validate(); len(findings) > 0 {
			t.Errorf("%s: %v", name, findings)
		}
	}
}

// spoiled is a package in which something was changed.
type spoiled struct {
	files      map[string]string
	properties map[string]string
}

func (s *spoiled) replace(name, old, with string) {
	s.files[name] = strings.ReplaceAll(s.files[name], old, with)
}

// replaceIn changes all files whose name holds part.
func (s *spoiled) replaceIn(part, old, with string) {
	for name := range s.files {
		if strings.Contains(name, part) {
			s.replace(name, old, with)
		}
	}
}

func (s *spoiled) remove(part string) {
	maps.DeleteFunc(s.files, func(name, _ string) bool { return strings.Contains(name, part) })
}

// write writes the package with package wim, which has no opinion, and opens it.
func (s *spoiled) write() (*Reader, error) {
	tree := newTree(testTime)
	for name, data := range s.files {
		tree.put(name, []byte(data))
	}
	tree.finish()
	image := &wim.Image{FS: tree}
	for _, name := range slices.Sorted(maps.Keys(s.properties)) {
		image.Properties = append(image.Properties, wim.Property{Name: name, Value: s.properties[name]})
	}
	var out memory
	if err := wim.Write(context.Background(), &out, image, wim.Options{Compression: wim.None, Threads: 1}); err != nil {
		return nil, err
	}
	return Open(bytes.NewReader(out.b), int64(len(out.b)))
}

const (
	runTimeFile   = "Multivariant/0/Prov/RunTime.xml"
	dataAssetFile = "DataAsset/DataAsset.xml"
)

func TestValidateFinds(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*spoiled)
		want  Severity
		text  string // that the one finding of this severity holds
	}{
		{"id", func(s *spoiled) { s.properties[packageID] = "0" }, Problem, packageID},
		{"upper-case id", func(s *spoiled) {
			s.properties[packageID] = strings.ToUpper(s.properties[packageID])
		}, Warning, "lower case"},
		{"altitude", func(s *spoiled) { s.properties["ALTITUDE"] = "12345678" }, Problem, "ALTITUDE"},
		{"negative altitude", func(s *spoiled) { s.properties["ALTITUDE"] = "-1" }, Problem, "ALTITUDE"},
		{"no owner's altitude", func(s *spoiled) { s.properties["ALTITUDE"] = "2100" }, Warning, "ALTITUDE 2100"},
		{"reset", func(s *spoiled) { s.properties["RESETCLEAR"] = "2" }, Problem, "RESETCLEAR"},
		{"no reset", func(s *spoiled) { delete(s.properties, "RESETCLEAR") }, Warning, "RESETCLEAR"},
		{"version", func(s *spoiled) { s.properties["VERSION"] = "one" }, Warning, "VERSION"},
		{"name", func(s *spoiled) { delete(s.properties, "NAME") }, Warning, "NAME"},

		{"no Multivariant.xml", func(s *spoiled) { s.remove("Multivariant.xml") }, Problem, "missing"},
		{"no CommonSettings.xml", func(s *spoiled) { s.remove("CommonSettings.xml") }, Info, "missing"},
		{"malformed answer file", func(s *spoiled) { s.files["CommonSettings/1/AnswerFile.xml"] = bom + "<Settings>" }, Problem, "unexpected EOF"},
		{"another root", func(s *spoiled) { s.replaceIn("MasterDatastore", "ConfigurationSourceList", "List") }, Problem, "root element"},
		{"datastore without RunTime", func(s *spoiled) { s.replaceIn("MasterDatastore", `RunTime.xml`, "Other.xml") }, Problem, "no setting"},
		{"two elements", func(s *spoiled) {
			s.replaceIn("Multivariant.xml", "</Elements>", `<Element Index="5"></Element></Elements>`)
		}, Warning, "conditions"},
		{"no mark in RunTime.xml", func(s *spoiled) { s.replace(runTimeFile, bom, "") }, Problem, "byte order mark"},
		{"no mark in provxml", func(s *spoiled) { s.replaceIn("_CommandLine", bom, "") }, Problem, "byte order mark"},
		{"mark in DataAsset.xml", func(s *spoiled) { s.files[dataAssetFile] = bom + s.files[dataAssetFile] }, Info, "byte order mark"},

		{"another group", func(s *spoiled) { s.replace(runTimeFile, "56ccb8ff", "56ccb8fe") }, Info, "SettingsGroup"},
		{"one group twice", func(s *spoiled) {
			s.replace(runTimeFile, settingsGroup("ProvisioningCommands/PrimaryContext/Command/CommandConfig/ContinueInstall", 0),
				settingsGroup("ProvisioningCommands/PrimaryContext/Command/CommandConfig/CommandLine", 0))
		}, Warning, "SettingsGroup"},
		{"unlisted provxml", func(s *spoiled) { s.files[runTimeFolder+"9__x.provxml"] = bom + "<wap-provisioningdoc />" }, Warning, "never applied"},

		{"no file for a setting", func(s *spoiled) { s.remove("DataAsset") }, Problem, "not there"},
		{"no setting for a file", func(s *spoiled) {
			s.replaceIn("_CommandFile", "characteristic type=\"Assets", "characteristic type=\"Other")
		}, Warning, "no setting asks"},
		{"name of an element", func(s *spoiled) { s.replace(dataAssetFile, `Value="CommandFile"`, `Value="Files"`) }, Problem, "looks for"},
		{"index of an element", func(s *spoiled) {
			for name, data := range s.files {
				if rest, found := strings.CutPrefix(name, "DataAsset/2/"); found {
					delete(s.files, name)
					s.files["DataAsset/1/"+rest] = data
				}
			}
			s.replace(dataAssetFile, `Element Index="2"`, `Element Index="1"`)
		}, Warning, "element index"},
		{"another package's file", func(s *spoiled) { s.replaceIn("_CommandFile", "characteristic type=\"{", "characteristic type=\"{0") }, Problem, "of the package"},

		{"a value twice", func(s *spoiled) {
			s.replaceIn("_ContinueInstall", `name="ContinueInstall"`, `name="RestartRequired"`)
		}, Problem, "already"},
		{"a boolean", func(s *spoiled) { s.replaceIn("_ContinueInstall", `value="`, `value="x`) }, Problem, "neither true nor false"},
		{"no command line", func(s *spoiled) { s.replaceIn("_CommandLine", `name="CommandLine"`, `name="Line"`) }, Problem, "no command line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree, err := Compile(t.Context(), minimal(), testTime)
			if err != nil {
				t.Fatal(err)
			}
			s := &spoiled{files: contents(t, tree), properties: map[string]string{}}
			for _, property := range minimal().properties() {
				s.properties[property.Name] = property.Value
			}
			before := maps.Clone(s.files)
			properties := maps.Clone(s.properties)
			test.spoil(s)
			if maps.Equal(before, s.files) && maps.Equal(properties, s.properties) {
				t.Fatal("nothing was spoiled")
			}
			r, err := s.write()
			if err != nil {
				t.Fatal(err)
			}
			findings := r.Validate()
			worst := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Severity < test.want })
			if len(worst) != 1 || worst[0].Severity != test.want || !strings.Contains(worst[0].String(), test.text) {
				t.Errorf("findings %v", findings)
			}
		})
	}
}

func TestValuesOfWhichMoreIsKnown(t *testing.T) {
	users := func(name string) []string { return []string{"Accounts", "Users", name} }
	domain := []string{"Accounts", "Domain"}
	wifi := []string{"WiFi", "Profile", "x"}
	for _, test := range []struct {
		parm Parm
		ok   bool
	}{
		{Parm{Node: domain, Name: "ComputerName", Value: "PC-%RAND:5%"}, true},
		{Parm{Node: domain, Name: "ComputerName", Value: "ACME-%SERIAL%"}, true},
		{Parm{Node: domain, Name: "ComputerName", Value: "%RAND:15%"}, true},
		{Parm{Node: domain, Name: "ComputerName", Value: "%RAND:16%"}, false},
		{Parm{Node: domain, Name: "ComputerName", Value: "abcdefghijklmno"}, true},
		{Parm{Node: domain, Name: "ComputerName", Value: "abcdefghijklmnop"}, false},
		{Parm{Node: domain, Name: "ComputerName", Value: "12345"}, false},
		{Parm{Node: domain, Name: "ComputerName", Value: "a b"}, false},
		{Parm{Node: domain, Name: "ComputerName", Value: "%NAME%"}, false},
		{Parm{Node: domain, Name: "ComputerName", Value: ""}, false},
		{Parm{Node: users("a"), Name: "LocalUserGroup", Value: "2"}, true},
		{Parm{Node: users("a"), Name: "LocalUserGroup", Value: "0"}, false},
		{Parm{Node: users("jane doe"), Name: "Password"}, true},
		{Parm{Node: users("jane@doe"), Name: "Password"}, false},
		{Parm{Node: users("..."), Name: "Password"}, false},
		{Parm{Node: users(strings.Repeat("x", 21)), Name: "Password"}, false},
		{Parm{Node: wifi, Name: "WlanXml", Value: "<WLANProfile/>"}, true},
		{Parm{Node: wifi, Name: "WlanXml", Value: "&lt;WLANProfile/&gt;"}, false},
		{Parm{Node: wifi, Name: "WlanXml", Value: "<WLANProfile>"}, false},
		{Parm{Node: wifi, Name: "WlanXml", Value: "<Profile/>"}, false},
		{Parm{Node: []string{"ClientCertificateInstall", "PFXCertInstall", "x"}, Name: "PFXCertBlob", Value: "*"}, false},
		{Parm{Node: []string{"RootCATrustedCertificates", "Root", "00"}, Name: "EncodedCertificate", Value: "AAAA"}, false},
		{Parm{Name: "Rootless"}, true},
	} {
		if err := test.parm.checkValue(); (err == nil) != test.ok {
			t.Errorf("%v: %v", test.parm, err)
		}
	}
}

func TestHidingTheFirstPagesNeedsAnAccount(t *testing.T) {
	p := minimal()
	p.Settings = []Setting{HideOobe()}
	findings := openFile(t, writeFile(t, p)).Validate()
	if len(findings) != 1 || findings[0].Severity != Warning || !strings.Contains(findings[0].Text, "account") {
		t.Errorf("findings %v", findings)
	}
	p.Settings = append(p.Settings, User("rescue", "p@ss", Administrators))
	if findings := openFile(t, writeFile(t, p)).Validate(); len(findings) > 0 {
		t.Errorf("with an account: %v", findings)
	}
}

func TestFindingsAreSentences(t *testing.T) {
	got := []string{
		Finding{Problem, "a/b.xml", "is missing"}.String(),
		Finding{Warning, "", "NAME is missing"}.String(),
		Severity(9).String(),
	}
	if diff := cmp.Diff([]string{"problem: a/b.xml: is missing", "warning: NAME is missing", "Severity(9)"}, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzValidate reads packages whose XML is not what it should be. It does so as
// [Open] does, but without a WIM around them: behind its checksums FuzzOpen
// hardly gets there, and writing one takes longer than all the rest.
func FuzzValidate(f *testing.F) {
	tree, err := Compile(f.Context(), minimal(), testTime)
	if err != nil {
		f.Fatal(err)
	}
	const provxml = runTimeFolder + "1__ProvisioningCommands_PrimaryContext_Command_0_CommandLine.provxml"
	names := []string{runTimeFile, provxml, dataAssetFile, "Multivariant/0/MasterDatastore.xml", "Multivariant/0/customizations.xml"}
	var seed [5][]byte
	for i, name := range names {
		seed[i] = tree.files[name].data
	}
	f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], "2000")
	f.Fuzz(func(t *testing.T, runTime, parms, dataAsset, master, project []byte, altitude string) {
		changed := newTree(testTime)
		maps.Copy(changed.files, tree.files)
		for i, data := range [][]byte{runTime, parms, dataAsset, master, project} {
			changed.put(names[i], data)
		}
		changed.finish()
		r := &Reader{ID: minimal().ID, FS: changed, WIM: &wim.Reader{Images: []*wim.ImageReader{{
			Image: wim.Image{Properties: []wim.Property{{Name: "ALTITUDE", Value: altitude}}},
		}}}}
		b := &budget{fsys: changed, left: maxTotal}
		if errors.Join(r.readEntries(b), r.readAssets(b)) != nil {
			return
		}
		r.Validate()
		r.Commands()
		r.Secrets()
		_, _ = r.Package()
	})
}
