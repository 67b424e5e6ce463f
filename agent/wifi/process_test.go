package wifi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/program"
)

// asTool makes this program play one of macOS', by its first argument.
const asTool = "-as-tool"

func TestMain(m *testing.M) {
	if len(os.Args) < 6 || os.Args[1] != asTool {
		os.Exit(m.Run())
	}
	os.Exit(play(os.Args[2], os.Args[3], filepath.Base(os.Args[4]), os.Args[5:]))
}

// recorded runs this program in the place of macOS' programs.
type recorded struct {
	kind   string
	folder string // where testdata is
	state  string // where the joined network is kept
}

func (r recorded) Run(ctx context.Context, stdin []byte, path string, args ...string) ([]byte, []byte, error) {
	return program.System{}.Run(ctx, stdin, os.Args[0], append([]string{asTool, r.kind, r.folder + ":" + r.state, path}, args...)...)
}

// play says what a program of that kind of Mac says.
func play(kind, folders, program string, args []string) int {
	folder, state, _ := strings.Cut(folders, ":")
	say := func(name string) int {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			os.Stderr.WriteString(err.Error())
			return 1
		}
		os.Stdout.Write(data)
		return 0
	}
	switch kind {
	case "failing":
		os.Stderr.WriteString("** Error: The amount of parameters was not correct.\n")
		return 4
	case "garbage":
		os.Stdout.Write(bytes.Repeat([]byte("\x00\xff{\"SSID : \n\t"), 1000))
		return 0
	case "huge":
		line := bytes.Repeat([]byte("\tAcme\n"), 10_000)
		for {
			if _, err := os.Stdout.Write(line); err != nil {
				return 1
			}
		}
	case "slow":
		time.Sleep(50 * time.Millisecond)
		kind = "14"
	}
	switch program + " " + args[0] {
	case "networksetup -listallhardwareports":
		return say("ports-macbook.txt")
	case "networksetup -getairportpower":
		os.Stdout.WriteString("Wi-Fi Power (en0): On\n")
		return 0
	case "networksetup -listpreferredwirelessnetworks":
		return say("saved.txt")
	case "networksetup -getairportnetwork":
		os.Stdout.WriteString("You are not associated with an AirPort network.\n")
		return 10
	case "networksetup -setairportnetwork":
		password, _ := io.ReadAll(os.Stdin)
		if len(args) != 4 || args[3] != "-" || string(password) != "correct horse\n" {
			os.Stdout.WriteString("Failed to join network " + args[2] + ".\nError: -3924  The operation couldn’t be completed.\n")
			return 0
		}
		os.WriteFile(state, []byte(args[2]), 0o600)
		return 0
	case "ipconfig getsummary":
		name, err := os.ReadFile(state)
		switch {
		case args[1] != "en0":
			return say("summary-idle.txt")
		case err == nil:
			os.Stdout.WriteString("<dictionary> {\n  InterfaceType : WiFi\n  LinkStatusActive : TRUE\n  SSID : " + string(name) + "\n}\n")
			return 0
		}
		return say("summary-" + map[string]string{"13": "14", "14": "14", "26": "15.6"}[kind] + ".txt")
	case "system_profiler -json":
		return say("profile-" + map[string]string{"13": "13", "14": "14", "26": "26-redacted"}[kind] + ".json")
	}
	return 64
}

func playing(t *testing.T, kind string, log io.Writer) *Radio {
	t.Helper()
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	r := newRadio(recorded{kind, folder, filepath.Join(t.TempDir(), "joined")}, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	r.addresses = func() (map[string][]netip.Addr, error) {
		return map[string][]netip.Addr{"en0": {netip.MustParseAddr("192.168.1.50")}}, nil
	}
	r.savedFirst = kind == "26"
	t.Cleanup(r.Close)
	return r
}

// scanned waits for a scan and the survey behind it.
func scanned(t *testing.T, r *Radio) Status {
	t.Helper()
	r.Scan()
	for {
		if s := r.Network(t.Context()); !s.Scanning {
			s.Scanned = time.Time{}
			return s
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestProgramsOfEachVersion(t *testing.T) {
	saved := []Network{{"Büro Süd", SecurityPassword, true, 0}, {" Acme Guest ", SecurityPassword, true, 0},
		{"Acme 802.1X", SecurityPassword, true, 0}, {"Preferred networks on en0:", SecurityPassword, true, 0}}
	of14 := Status{Device: "en0", Link: LinkWiFi, Power: PowerOn, Name: "Büro Süd", Networks: []Network{
		{"Acme", SecurityPassword, false, 4}, {"Acme Old", SecurityEnterprise, false, 0},
		{"Hotel", SecurityOpen, false, 0}, {"Of tomorrow", SecurityPassword, false, 0}}}
	for kind, want := range map[string]Status{
		"13": {Device: "en0", Link: LinkWiFi, Power: PowerOn, Name: "Büro Süd", Networks: []Network{
			{"Büro Süd", SecurityPassword, true, 4}, {"Acme 802.1X", SecurityEnterprise, true, 3}, {"Acme Guest", SecurityOpen, false, 2}}},
		"14":      of14,
		"slow":    of14,
		"26":      {Device: "en0", Link: LinkWiFi, Power: PowerOn, Name: "Büro Süd", Withheld: WithheldLocation, Networks: saved},
		"failing": {Link: LinkNone, Power: PowerNone},
		"garbage": {Link: LinkNone, Power: PowerNone},
		"huge":    {Link: LinkNone, Power: PowerNone},
	} {
		t.Run(kind, func(t *testing.T) {
			if diff := cmp.Diff(want, scanned(t, playing(t, kind, io.Discard))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The password goes through a pipe, and is in no log, whatever happens.
func TestJoinByAProgram(t *testing.T) {
	var log bytes.Buffer
	r := playing(t, "14", &log)
	join := func(password string) Status {
		if err := r.Join(Join{Name: "Acme", Password: []byte(password)}); err != nil {
			t.Fatal(err)
		}
		for {
			if s := r.Network(t.Context()); s.Join != JoinRunning {
				return s
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if s := join("wrong horse"); s.Join != JoinFailed || s.JoinCode != CodePassword || s.Name != "Büro Süd" {
		t.Errorf("%+v", s)
	}
	if s := join("correct horse"); s.Join != JoinDone || s.Name != "Acme" {
		t.Errorf("%+v", s)
	}
	r.Close()
	if strings.Contains(log.String(), "horse") || !strings.Contains(log.String(), "code=password") {
		t.Errorf("logged: %s", log.String())
	}
}
