package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// These run under Wine too, see TestUnderWine. There nobody is SYSTEM, access is
// not looked at, and a second pipe of the same name is let pass: that much
// nothing here has seen work.

// servePipe runs a server on a pipe of its own until stop is called.
func servePipe(t *testing.T) (name string, f *fixed, stop func()) {
	t.Helper()
	name = fmt.Sprintf(`\\.\pipe\firstday-test-%d-%s`, os.Getpid(), t.Name())
	l, err := Listen(name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f = newFixed()
	s := &Server{SignIn: f, Refresh: func(context.Context) api.Code { return "" }, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the service does not end")
		}
	})
	t.Cleanup(stop)
	return name, f, stop
}

func connect(t *testing.T, name string) *Client {
	t.Helper()
	conn, err := dial(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(t.Context(), conn, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWindowsSurfacesSpeakOverPipes(t *testing.T) {
	name, f, stop := servePipe(t)
	first, second := connect(t, name), connect(t, name)
	for _, c := range []*Client{first, second} {
		if s, err := c.Next(t.Context(), 0); err != nil || s.Serial != 7 || s.Title != "Almost there" {
			t.Errorf("%+v, %v", s, err)
		}
		if err := c.Act(t.Context(), signin.Action{Name: signin.Submit, Serial: 7, Fields: map[string]string{"number": "42"}}); err != nil {
			t.Error(err)
		}
		if err := c.Act(t.Context(), signin.Action{Name: signin.Submit, Serial: 6}); !errors.Is(err, signin.ErrStale) {
			t.Error(err)
		}
		if _, err := c.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := len(f.actions()); n != 2 {
		t.Errorf("%d actions arrived", n)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	// While the second one watches, the service ends.
	watched := make(chan error, 1)
	go func() { _, err := second.Next(context.Background(), 7); watched <- err }()
	stop()
	select {
	case err := <-watched:
		if err == nil {
			t.Error("there was another screen")
		}
	case <-time.After(10 * time.Second):
		t.Error("the surface was not hung up on")
	}
	if _, err := dial(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the pipe is still there: %v", err)
	}
}

// Bytes that are no protocol are answered and hung up on; half a line is not
// waited for when the service ends.
func TestWindowsPipesHangUp(t *testing.T) {
	name, _, stop := servePipe(t)
	conn, err := dial(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello 1 test\nfield x \x00\n")); err != nil {
		t.Fatal(err)
	}
	in := &lines{r: conn}
	if b, err := readBlock(in); err != nil || b.word(0) != kindHello {
		t.Errorf("%+v, %v", b, err)
	}
	if b, err := readBlock(in); err != nil || b.refused().Word != refusedMalformed {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := readBlock(in); err == nil {
		t.Error("it goes on")
	}
	half, err := dial(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := half.Write([]byte("hello 1 te")); err != nil {
		t.Fatal(err)
	}
	stop()
}

// Deadlines hold on pipes: nothing waits for ever.
func TestWindowsPipesHaveDeadlines(t *testing.T) {
	name, _, _ := servePipe(t)
	conn, err := dial(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("reading what nobody sends: %v", err)
	}
}

// Nobody types a password into a pipe of somebody who is not SYSTEM.
func TestWindowsSurfacesKnowTheService(t *testing.T) {
	name, _, _ := servePipe(t)
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(t.Context(), name, "test")
	if user.User.Sid.IsWellKnown(windows.WinLocalSystemSid) {
		if err != nil {
			t.Errorf("we are SYSTEM, and: %v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), user.User.Sid.String()) {
		t.Errorf("%s is taken for the service: %+v, %v", user.User.Sid, c, err)
	}
}

func TestWindowsNobodyListens(t *testing.T) {
	if _, err := Dial(t.Context(), `\\.\pipe\firstday-test-nobody`, "test"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// The pipe's access is what it should be, as far as the system keeps it.
func TestWindowsPipeAccess(t *testing.T) {
	sd, err := windows.SecurityDescriptorFromString(access)
	if err != nil || !sd.IsValid() {
		t.Fatalf("%v", err)
	}
	dacl, _, err := sd.DACL()
	if err != nil || dacl.AceCount != 3 {
		t.Errorf("%+v, %v", dacl, err)
	}
}
