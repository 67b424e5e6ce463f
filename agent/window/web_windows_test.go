package window

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/agent/webview"
	"firstday.dev/api"
)

// These tests run the agent's program as its service starts it, beside a double of
// the browser's runtime (testdata/double.c), or without any.

var withDouble = flag.Bool("double", false, "there is a double of the browser's runtime")

// browsing is the program with the pages.
type browsing struct {
	*started
	log string // what the double was asked for
	mu  sync.Mutex
	n   int // how often it said that the page is there
}

func (b *browsing) shown() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

func (b *browsing) asked() string {
	text, _ := os.ReadFile(b.log)
	return string(text)
}

// browse starts the program with a service that shows the script.
func browse(t *testing.T, mode string, sc *script) *browsing {
	t.Helper()
	dir, err := os.MkdirTemp("", "web") // Wine cannot remove a TempDir as Go does it
	if err != nil {
		t.Fatal(err)
	}
	b := &browsing{log: filepath.Join(dir, "double.log")}
	t.Setenv("DOUBLE_MODE", mode)
	t.Setenv("DOUBLE_LOG", b.log)
	b.started = startProgram(t, "signin-web", dir)
	ctx, cancel := context.WithCancel(context.Background())
	server := &local.Server{SignIn: sc, Refresh: func(context.Context) api.Code { return "" }, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
	served := make(chan struct{})
	go func() {
		server.ServePages(ctx, b.pipes, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.n++
		})
		close(served)
	}()
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		cancel()
		<-served
		_, _ = os.Remove(b.log), os.Remove(dir)
	})
	return b
}

func webNow(state signin.State) *local.Screen {
	s := webIn("English", state)
	s.Ends = time.Now().Add(598 * time.Second)
	return s
}

// Whatever fails, the program ends by itself and says why: the service goes on with
// a code.
func TestWebFails(t *testing.T) {
	modes := map[string]webview.FailureError{"": webview.ErrNoRuntime}
	if *withDouble {
		modes = map[string]webview.FailureError{
			"refuses": webview.ErrNoEnvironment, "no-environment": webview.ErrNoEnvironment, "no-controller": webview.ErrNoController,
			"old": webview.ErrNoLock, "stubborn": webview.ErrNoLock, "no-page": webview.ErrNoPage, "lost": webview.ErrProcessLost, "dies": 99,
		}
	}
	for mode, want := range modes {
		t.Run(mode, func(t *testing.T) {
			b := browse(t, mode, newScript(webNow(signin.Waiting)))
			if got := webview.FailureError(b.code()); got != want {
				t.Errorf("it ends with %d (%s), want %d: %s\n%s", got, got, want, &b.stderr, b.asked())
			}
			if n := b.shown(); (n > 0) != (mode == "lost") {
				t.Errorf("it said %d times that the page is there", n)
			}
			if mode == "old" || mode == "stubborn" {
				if strings.Contains(b.asked(), "goes to") {
					t.Errorf("it showed a page that is not locked:\n%s", b.asked())
				}
			}
		})
	}
}

// A runtime that never answers shows nothing, and keeps nobody from ending the
// program.
func TestWebSilent(t *testing.T) {
	b := browse(t, "silent", newScript(webNow(signin.Waiting)))
	b.until("the runtime is asked", func() bool { return strings.HasPrefix(b.asked(), "environment") })
	b.until("its window is seen", func() bool { b.window = b.find(); return b.window != 0 })
	if b.shown() > 0 {
		t.Error("it said that a page is there")
	}
	if err := b.pipes.Out.Close(); err != nil {
		t.Fatal(err)
	}
	if code := b.code(); code != 0 {
		t.Errorf("it ends with %d: %s", code, &b.stderr)
	}
}

// All that a page may try is answered, and all that can be switched off is, before
// there is a page.
func TestWebIsLocked(t *testing.T) {
	b := browse(t, "full", newScript(webNow(signin.Waiting)))
	b.until("the page has done its worst", func() bool { return strings.Contains(b.asked(), "played") })
	b.until("the page is there", func() bool { return b.shown() == 1 })
	want := strings.Join([]string{
		"environment in a folder, --disable-features=RendererAppContainer,AutofillAiWalletPrivatePasses",
		"options 6: 1",
		"controller, private: 1",
		"controller 37: 0",
		"controller 4: 0",
		"settings 4: 1", "settings 6: 0", "settings 8: 0", "settings 10: 0", "settings 12: 0", "settings 14: 0", "settings 16: 0",
		"settings 18: 0", "settings 20: 0", "settings 24: 0", "settings 26: 0", "settings 28: 0", "settings 30: 0", "settings 32: 0",
		"script of ours",
		"view goes to https://signin.acme.example/signin?code=ABCD",
		"navigation https://signin.acme.example/signin?code=ABCD: goes on",
		"controller 4: 1",
		"navigation https://login.example/authorize?state=1: goes on",
		"navigation 8: 1", "navigation https://evil.example/: cancelled",
		"navigation 8: 1", "navigation file:///C:/Windows/System32/cmd.exe: cancelled",
		"navigation 8: 1", "navigation ms-settings:signinoptions: cancelled",
		"frame 8: 1", "frame data:text/html,x: cancelled",
		"frame https://login.example/frame: goes on",
		"new window 6: 1", "view goes to https://login.example/new",
		"new window 6: 1",
		"permission 7: 2",
		"download 5: 1", "download 9: 1",
		"client certificate 13: 1",
		"basic authentication 7: 1",
		"bad certificate 7: 1",
		"other program 7: 1",
		"played", "",
	}, "\n")
	if diff := cmp.Diff(want, strings.ReplaceAll(b.asked(), "\r", "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	select {
	case <-b.ended:
		t.Errorf("it has ended: %s", &b.stderr)
	default:
	}
}

// The window says whose page it is, and has the ways out.
func TestWebWindow(t *testing.T) {
	sc := newScript(webNow(signin.Starting))
	b := browse(t, "quiet", sc)
	b.until("its window is seen", func() bool { b.window = b.find(); return b.window != 0 })
	texts := func(s *local.Screen, br browsed) string {
		var want []string
		for _, box := range arrangeWeb(newWebPage(s, br, time.Now()), 2048, 1536, 96, wordy).boxes {
			class := map[role]string{roleField: "Edit", rolePrimary: "Button", roleSecondary: "Button"}[box.role]
			if class == "" {
				class = "Static"
			}
			want = append(want, class+": "+box.text)
		}
		return strings.Join(want, "\n")
	}
	shows := func(s *local.Screen, br browsed) {
		t.Helper()
		b.until("it shows "+texts(s, br), func() bool { return strings.Join(b.texts(), "\n") == texts(s, br) })
	}
	shows(webNow(signin.Starting), browsed{})
	show := func(state signin.State) {
		sc.change(func(now *signin.Screen) {
			serial := now.Serial
			*now = webNow(state).Screen
			now.Serial = serial
		})
	}
	show(signin.Waiting)
	at := browsed{where: "https://signin.acme.example", shown: true}
	shows(webNow(signin.Waiting), at)
	show(signin.Number)
	shows(webNow(signin.Number), at)
	field := b.child("Edit", "")
	for _, digit := range "47" {
		call(procPostMessage, field, wmChar, uintptr(digit), 1)
	}
	b.until("the number is typed", func() bool { return textOf(field) == "47" })
	press := func(label string) {
		call(procPostMessage, b.child("Button", label), wmKeyDown, keySpace, 1)
		call(procPostMessage, b.child("Button", label), wmKeyDown+1, keySpace, 1|3<<30)
	}
	press("Next")
	b.until("the number is sent", func() bool { return len(sc.actions()) == 1 })
	press("Use your phone instead")
	b.until("the sign-in goes elsewhere", func() bool { return len(sc.actions()) == 2 })
	if diff := cmp.Diff([]string{"submit47", "elsewhere"}, sc.actions()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sc.change(func(now *signin.Screen) { // as the machine does then
		serial := now.Serial
		*now = asNow(signin.Starting).Screen
		now.Serial = serial
	})
	if code := b.code(); code != 0 {
		t.Errorf("it ends with %d: %s", code, &b.stderr)
	}
	if !bytes.Contains([]byte(b.asked()), []byte("navigation https://signin.acme.example")) {
		t.Error(b.asked())
	}
}
