package ppkg

import (
	"errors"
	"strings"
	"testing"
)

func TestAttributesAreNeitherLostNorTakenForNames(t *testing.T) {
	const rest = `<Password>p@ss</Password><UserGroup>Administrators</UserGroup></User></Users></Accounts>`
	for _, settings := range []string{
		`<Accounts><Users><User UserName="admin" Password="s3cret">` + rest,
		`<Accounts><Users><User Password="s3cret" UserName="admin">` + rest,
		`<Accounts><Users><User Password="s3cret" UserName="a"/><User Password="s3cret" UserName="b"/></Users></Accounts>`,
		`<Accounts Owner="s3cret"><Users><User UserName="admin">` + rest,
		`<Policies><Camera Name="s3cret"><AllowCamera>No</AllowCamera></Camera></Policies>`,
		`<Policies><Camera><AllowCamera Value="s3cret">No</AllowCamera></Camera></Policies>`,
	} {
		_, err := ReadCustomizations(strings.NewReader(project(settings)), nil)
		if !errors.Is(err, errUnknownAttribute) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %v", settings, err)
		}
	}
}

func TestSettingsWithoutWhatTheyNeedAreRefused(t *testing.T) {
	command := func(values string) string {
		return `<ProvisioningCommands><PrimaryContext><Command><CommandConfig Name="x">` + values + `</CommandConfig></Command></PrimaryContext></ProvisioningCommands>`
	}
	for settings, want := range map[string]string{
		`<Accounts><Users><User UserName="a"><UserGroup>Administrators</UserGroup></User></Users></Accounts>`: "no password",
		`<Accounts><Users><User UserName="a"><Password></Password></User></Users></Accounts>`:                 "no password",
		`<Accounts><Users><User UserName="a@b"><Password>p</Password></User></Users></Accounts>`:              "forbids",
		`<Accounts><Users><User Name="a"><Password>p</Password></User></Users></Accounts>`:                    "no UserName",

		`<Accounts><ComputerAccount><ComputerName>longer than that</ComputerName></ComputerAccount></Accounts>`: "longer than 15 bytes",

		command(`<ContinueInstall>True</ContinueInstall>`): "no CommandLine",
		command(`<CommandLine> </CommandLine>`):            "no CommandLine",
	} {
		_, err := ReadCustomizations(strings.NewReader(project(settings)), nil)
		var setting *SettingError
		if !errors.As(err, &setting) || setting.Line == 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", settings, err, want)
		}
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	_, err := ReadCustomizations(strings.NewReader(project(`
<OOBE><Desktop><HideOobe>Perhaps</HideOobe></Desktop></OOBE>
<Policies><Camera><AllowCamera>Maybe</AllowCamera><AllowMirror>1</AllowMirror></Camera></Policies>`)), nil)
	for _, want := range []string{"OOBE/Desktop/HideOobe", "Camera/AllowCamera", "Camera/AllowMirror"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
}

func TestEmptyGroupsSetNothing(t *testing.T) {
	p, err := ReadCustomizations(strings.NewReader(project(`<Policies><Camera/></Policies><Accounts> <Users></Users></Accounts>`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Compile(t.Context(), p, testTime)
	if err != nil || len(tree.Entries) > 0 {
		t.Errorf("entries %v, error %v", tree.Entries, err)
	}
}

func TestBothLabelsOfKeyLocationAreTaken(t *testing.T) {
	for _, label := range []string{"SoftwareOnly", "Software only", "3"} {
		settings := `<Certificates><ClientCertificates><ClientCertificate CertificateName="x" Name="x">` +
			`<CertificatePath>C:\\psexec64.exe</CertificatePath><KeyLocation>` + label + `</KeyLocation>` +
			`</ClientCertificate></ClientCertificates></Certificates>`
		if _, err := ReadCustomizations(strings.NewReader(project(settings)), AssetsFrom(projectFiles)); err != nil {
			t.Errorf("%s: %v", label, err)
		}
	}
}

func TestXMLOfTooManyElementsIsRefused(t *testing.T) {
	if _, err := parseXML([]byte("<a>" + strings.Repeat("<b/>", maxElements) + "</a>")); !errors.Is(err, ErrSyntax) {
		t.Errorf("error = %v", err)
	}
}
