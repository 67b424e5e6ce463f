package simulate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/kit"
	"firstday.dev/pkgbuild"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/xpress"
	"firstday.dev/templates/macos"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testagents.Cleanup()
	os.Exit(code)
}

// at is the time of all packages here.
var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// buildKit builds a kit as IT does, for a directory that is there.
func buildKit(t *testing.T, d api.Directory, key api.Secret, more string, platforms ...kit.Platform) string {
	t.Helper()
	c := loadConfig(t, d, key, more)
	output := filepath.Join(t.TempDir(), "kit")
	if _, err := kit.Build(t.Context(), kit.Options{
		Config: c, Platforms: platforms, Agents: testagents.Dir(t), Output: output, Builder: "test", Time: at, Level: xpress.Fast,
	}); err != nil {
		t.Fatal(err)
	}
	return output
}

func loadConfig(t *testing.T, d api.Directory, key api.Secret, more string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`version: 1
organisation: {name: Acme}
directory: {url: %q, pin: %q}
connectKey: {file: connect.key, expires: 2099-01-01}
`, d.URL, d.Pin) + more
	for name, content := range map[string]string{"firstday.yaml": text, "connect.key": key.Reveal(), "wifi.key": "correct horse battery"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "firstday.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mac holds what macFiles gives, which is built once.
var mac struct {
	sync.Mutex
	files  fstest.MapFS
	digest string
}

// macFiles are the agent and the login plug-in of packages for macOS made by hand, by
// their paths on the volume; nothing ever runs them. digest is the plug-in's.
func macFiles(t *testing.T) (files fstest.MapFS, digest string) {
	t.Helper()
	mac.Lock()
	defer mac.Unlock()
	if mac.files == nil {
		mac.files, mac.digest = buildMacFiles(t)
	}
	return maps.Clone(mac.files), mac.digest
}

func buildMacFiles(t *testing.T) (files fstest.MapFS, plugged string) {
	t.Helper()
	c := loadConfig(t, api.Directory{URL: "https://directory.acme.example", Pin: "sha256:" + digest("a directory")}, "fk_x", "")
	output := filepath.Join(t.TempDir(), "kit")
	if _, err := kit.Build(t.Context(), kit.Options{
		Config: c, Platforms: []kit.Platform{kit.MacOS}, Agents: testagents.SmallMac(t), Output: output, Builder: "test", Time: at,
	}); err != nil {
		t.Fatal(err)
	}
	volume := os.DirFS(testagents.UnpackInstaller(t, filepath.Join(output, "Acme.pkg")))
	files = fstest.MapFS{}
	for _, folder := range []string{macos.ProgramFolder[1:], macos.PluginFolder[1:], macos.LoginJobFolder[1:]} {
		err := fs.WalkDir(volume, folder, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := fs.ReadFile(volume, name)
			files[name] = &fstest.MapFile{Data: data, Mode: 0o644}
			if base := path.Base(name); base == macos.Executable || base == path.Base(macos.PluginProgram) {
				files[name].Mode = 0o755
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	plugin, err := fs.Sub(volume, macos.PluginPath[1:])
	if err != nil {
		t.Fatal(err)
	}
	if plugged, err = macos.PluginDigest(plugin); err != nil {
		t.Fatal(err)
	}
	return files, plugged
}

// tile is the credential provider for an architecture. In packages made by hand
// it stands for the agent's program, too: it is one of that version, and small.
func tile(t *testing.T, arch string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testagents.Dir(t), "firstday-credprov-"+arch+".dll"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// enrollment is that of a package made by hand.
func enrollment(t *testing.T, platform api.Platform, d api.Directory, key api.Secret) *api.Enrollment {
	t.Helper()
	e := &api.Enrollment{
		Version: api.EnrollmentVersion, Organisation: "Acme", Directory: d, ConnectKey: key,
		PackageID: uuid.New(), PackageName: "Acme", PackageVer: "1.0",
		SignIn: api.SignIn{Enabled: true, Permission: "standard"},
	}
	for _, arch := range []string{"amd64", "arm64"} {
		a := api.AgentFile{File: macos.Executable, Arch: arch, Version: testagents.Version, SHA256: digest("in place")}
		if platform == api.Windows {
			a.File, a.SHA256 = "firstday-agent-"+arch+".exe", digest(string(tile(t, arch)))
			a.CredentialProvider = api.CarriedFile{File: "firstday-credprov-" + arch + ".dll", SHA256: a.SHA256}
		}
		e.Agents = append(e.Agents, a)
	}
	return e
}

func encode(t *testing.T, e *api.Enrollment) []byte {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// provisioningPackage writes a package of an enrollment and settings.
func provisioningPackage(t *testing.T, e *api.Enrollment, command ppkg.Command, settings ...ppkg.Setting) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Acme.ppkg")
	p := &ppkg.Package{ID: e.PackageID, Version: e.PackageVer, Name: "Acme", Owner: ppkg.ITAdmin, Settings: settings}
	if command.Line == "" {
		command.Line = "firstday-agent-amd64.exe install"
	}
	command.Name = "Firstday"
	command.File = ppkg.NewFile(api.EnrollmentFile, encode(t, e))
	for _, a := range e.Agents {
		dll := tile(t, a.Arch)
		command.Dependencies = append(command.Dependencies, ppkg.NewFile(a.File, dll))
		if name := a.CredentialProvider.File; name != "" {
			command.Dependencies = append(command.Dependencies, ppkg.NewFile(name, dll))
		}
	}
	for _, payload := range e.Payloads {
		command.Dependencies = append(command.Dependencies, ppkg.NewFile(payload.File, []byte(payload.File)))
	}
	p.Settings = append(p.Settings, command.Setting())
	silent := func(string, int64, int64) {}
	if _, err := kit.WritePackage(t.Context(), path, p, ppkg.Options{Time: at, Level: xpress.Fast}, silent); err != nil {
		t.Fatal(err)
	}
	return path
}

// macProduct is an installer package made by hand, to be changed before it is
// written.
func macProduct(t *testing.T, e *api.Enrollment) *pkgbuild.Product {
	t.Helper()
	program := macos.ProgramFolder[1:] + "/1.2.3/" + macos.Executable
	files, plugin := macFiles(t)
	for i := range e.Agents {
		a := &e.Agents[i]
		a.SHA256, a.LoginPlugin = digest(string(files[program].Data)), api.CarriedFile{File: macos.Plugin, SHA256: plugin}
	}
	files[macos.DataFolder[1:]+"/"+api.EnrollmentFile] = &fstest.MapFile{Data: encode(t, e), Mode: 0o600}
	files[macos.DaemonPath[1:]] = &fstest.MapFile{Data: macos.LaunchDaemon("/" + program), Mode: 0o644}
	return &pkgbuild.Product{
		Identifier: "dev.firstday.acme", Version: "1.0", Title: "Acme", HostArchitectures: []string{"x86_64", "arm64"}, MinOSVersion: "13.0",
		Components: []pkgbuild.ProductComponent{{Name: "firstday.pkg", Component: &pkgbuild.Component{
			Identifier: "dev.firstday.acme", Version: "1.0",
			Payload: files,
			Attributes: func(path string, info fs.FileInfo) pkgbuild.Attributes {
				a := pkgbuild.DefaultAttributes(path, info)
				if strings.HasPrefix("/"+path, macos.DataFolder) && !info.IsDir() {
					a.Mode = 0o600
				}
				return a
			},
			Scripts: fstest.MapFS{"preinstall": {Data: macos.Preinstall()}, "postinstall": {Data: macos.Postinstall("1.2.3")}},
		}}},
	}
}

func writeProduct(t *testing.T, p *pkgbuild.Product) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Acme.pkg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := pkgbuild.WriteProduct(t.Context(), f, p, pkgbuild.Options{Time: at}); err != nil {
		t.Fatal(err)
	}
	return path
}

// retouch takes a package apart, lets a function change its files, and puts it
// together again.
func retouch(t *testing.T, path string, change func(dir string)) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pkgbuild.Open(in, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := pkgbuild.Expand(t.Context(), p, root, pkgbuild.ExpandOptions{}); err != nil {
		t.Fatal(err)
	}
	change(dir)
	out, err := os.Create(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := pkgbuild.Flatten(t.Context(), out, os.DirFS(dir), pkgbuild.Options{Time: at}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string, offset int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if offset < 0 {
		offset += int64(len(b))
	}
	b[offset] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// story collects events, which also come from the agent's goroutines.
type story struct {
	mu     sync.Mutex
	events []Event
}

func (s *story) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *story) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, e := range s.events {
		fmt.Fprintf(&b, "%v %s %s: %s (%s) %s\n", time.Duration(e.At), e.Mark, e.Step, e.Text, e.Detail, e.Error)
	}
	return b.String()
}

// mustTell fails unless all of the texts are in the story.
func (s *story) mustTell(t *testing.T, texts ...string) {
	t.Helper()
	all := s.String()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("%q is not told:\n%s", text, all)
		}
	}
}

// simulation runs a package in a sandbox and tells its story.
func simulation(t *testing.T, o Options, packages ...string) (*Result, *story, error) {
	t.Helper()
	s := new(story)
	o.Events = s.tell
	if o.Sandbox == "" {
		o.Sandbox = filepath.Join(t.TempDir(), "sandbox")
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	r, err := Run(t.Context(), packages, o)
	return r, s, err
}

// contains tells whether any file below a folder holds the text.
func contains(t *testing.T, dir, text string) (file string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), text) {
			file = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// newDirectory gives a directory and a key for it.
func newDirectory(t *testing.T, n api.NewConnectKey) (*testdirectory.Service, api.Secret) {
	t.Helper()
	d := testdirectory.New(t)
	return d, d.MustMint(n)
}
