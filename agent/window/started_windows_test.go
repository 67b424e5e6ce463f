package window

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/local"
	"firstday.dev/api"
)

var (
	agentProgram = flag.String("agent", "", "the agent's program")
	pictures     = flag.String("pictures", "", "folder to put pictures of the window into")
	suffix       = flag.String("suffix", "", "of their names")
)

var (
	procEnumWindows        = user32.NewProc("EnumWindows")
	procEnumChildWindows   = user32.NewProc("EnumChildWindows")
	procGetClassName       = user32.NewProc("GetClassNameW")
	procGetThreadProcess   = user32.NewProc("GetWindowThreadProcessId")
	procIsVisible          = user32.NewProc("IsWindowVisible")
	procGetWindowRect      = user32.NewProc("GetWindowRect")
	procIsEnabled          = user32.NewProc("IsWindowEnabled")
	procGetDIBits          = gdi32.NewProc("GetDIBits")
	procGetWindowLong      = user32.NewProc("GetWindowLongW")
	procSendMessageTimeout = user32.NewProc("SendMessageTimeoutW")
	procGetGUIThreadInfo   = user32.NewProc("GetGUIThreadInfo")
)

// started is the agent's program as its service starts it.
type started struct {
	t      *testing.T
	cmd    *exec.Cmd
	pipes  local.TwoPipes // the service's ends
	stderr bytes.Buffer
	ended  chan struct{}
	window uintptr
}

// startProgram starts the program, and serves nothing yet.
func startProgram(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{t: t, cmd: exec.Command(*agentProgram, args...), ended: make(chan struct{})}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not StdoutPipe, which is closed before all is read.
	out, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = theirs, &s.stderr
	s.cmd.WaitDelay = time.Second // the first program with a window starts Wine's desktop, which inherits its pipes
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	s.pipes = local.TwoPipes{ReadCloser: out, Out: in}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.ended
	})
	return s
}

// startWindow starts the program with a service that shows the script, and waits
// until its window is seen.
func startWindow(t *testing.T, sc *script) *started {
	t.Helper()
	s := startProgram(t, "signin-window")
	ctx, cancel := context.WithCancel(context.Background())
	server := &local.Server{SignIn: sc, Refresh: func(context.Context) api.Code { return "" }, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
	served := make(chan struct{})
	go func() {
		server.ServeWindow(ctx, s.pipes)
		close(served)
	}()
	t.Cleanup(func() { // before the program is killed
		_ = s.cmd.Process.Kill()
		cancel()
		<-served
	})
	s.until("its window is seen", func() bool { s.window = s.find(); return s.window != 0 })
	return s
}

const emSetSel = 0x00b1

const patience = 30 * time.Second

// until waits for something to be so.
func (s *started) until(what string, so func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !so(); {
		if time.Now().After(end) {
			focus := s.focused()
			s.t.Fatalf("it is never so that %s; it says %q, and %s %q has the keyboard: %s", what, s.texts(), className(focus), textOf(focus), &s.stderr)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// code waits for the program to end, and gives its exit code.
func (s *started) code() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(2 * patience):
		s.t.Fatalf("it does not end: %s", &s.stderr)
	}
	return s.cmd.ProcessState.ExitCode()
}

// find gives the window of the program, 0 if none is seen.
func (s *started) find() (found uintptr) {
	for _, h := range enumerate(procEnumWindows, 0) {
		var pid uint32
		call(procGetThreadProcess, h, uintptr(unsafe.Pointer(&pid)))
		if int(pid) == s.cmd.Process.Pid && className(h) == Class && call(procIsVisible, h) != 0 {
			found = h
		}
	}
	return found
}

var enumerated []uintptr

var collect = windows.NewCallback(func(h, _ uintptr) uintptr {
	enumerated = append(enumerated, h)
	return 1
})

func enumerate(proc *windows.LazyProc, parent uintptr) []uintptr {
	enumerated = nil
	if parent == 0 {
		call(proc, collect, 0)
	} else {
		call(proc, parent, collect, 0)
	}
	return enumerated
}

func className(h uintptr) string {
	var buf [64]uint16
	n := call(procGetClassName, h, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	return windows.UTF16ToString(buf[:n])
}

// textOf gives the text of a control of another process.
func textOf(h uintptr) string {
	const wmGetText = 0x0d
	var buf [1024]uint16
	var n uintptr
	const abortIfHung, milliseconds = 2, 5000
	if call(procSendMessageTimeout, h, wmGetText, uintptr(len(buf)), uintptr(unsafe.Pointer(&buf[0])), abortIfHung, milliseconds, uintptr(unsafe.Pointer(&n))) == 0 {
		return "it does not answer"
	}
	return windows.UTF16ToString(buf[:min(int(n), len(buf))])
}

// texts gives what a screen reader finds: each control with its class, in order.
func (s *started) texts() (all []string) {
	if s.window == 0 {
		return nil
	}
	for _, h := range enumerate(procEnumChildWindows, s.window) {
		all = append(all, className(h)+": "+textOf(h))
	}
	return all
}

// child gives the first control of that class and text.
func (s *started) child(class, text string) uintptr {
	s.t.Helper()
	for _, h := range enumerate(procEnumChildWindows, s.window) {
		if className(h) == class && (text == "" || textOf(h) == text) {
			return h
		}
	}
	s.t.Fatalf("there is no %s %q among %q", class, text, s.texts())
	return 0
}

// focused gives what has the keyboard in the window's thread.
func (s *started) focused() uintptr {
	info := struct {
		size, flags                                        uint32
		active, focus, capture, menuOwner, moveSize, caret uintptr
		rect                                               nativeRect
	}{}
	info.size = uint32(unsafe.Sizeof(info))
	thread := call(procGetThreadProcess, s.window, 0)
	call(procGetGUIThreadInfo, thread, uintptr(unsafe.Pointer(&info)))
	return info.focus
}

// key presses a key and lets it go, wherever the keyboard is.
func (s *started) key(keys ...uintptr) {
	s.t.Helper()
	for _, k := range keys {
		to := s.focused()
		if to == 0 {
			to = s.window
		}
		call(procPostMessage, to, wmKeyDown, k, 1)
		call(procPostMessage, to, wmKeyDown+1, k, 1|3<<30)
	}
}

// save takes a picture of the window as it is seen on the screen.
func (s *started) save(name string) {
	s.t.Helper()
	if *pictures == "" {
		return
	}
	accent := call(procGetSysColor, colorHighlight)
	stripe := color.RGBA{uint8(accent), uint8(accent >> 8), uint8(accent >> 16), 255}
	last, shot := s.shot(), s.shot()
	s.until("the window is painted, and stands still", func() bool {
		last, shot = shot, s.shot()
		edge := shot.Bounds().Dx() - 1
		return bytes.Equal(last.Pix, shot.Pix) && shot.RGBAAt(0, 0) == stripe && shot.RGBAAt(edge, 0) == stripe
	})
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, shot)
	if err == nil {
		err = os.WriteFile(filepath.Join(*pictures, "windows-"+name+*suffix+".png"), out.Bytes(), 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *started) shot() *image.RGBA {
	var r nativeRect
	call(procGetWindowRect, s.window, uintptr(unsafe.Pointer(&r)))
	width, height := int(r.right-r.left), int(r.bottom-r.top)
	screen := call(procGetDC, 0)
	defer call(procReleaseDC, 0, screen)
	c := newCanvas(screen, width, height)
	defer c.free()
	call(procBitBlt, c.dc, 0, 0, uintptr(width), uintptr(height), screen, uintptr(r.left), uintptr(r.top), srcCopy)
	header := struct {
		size          uint32
		width, height int32
		planes, bits  uint16
		_             [6]uint32
	}{size: 40, width: int32(width), height: -int32(height), planes: 1, bits: 32}
	raw := make([]byte, 4*width*height)
	call(procGetDIBits, screen, c.bitmap, 0, uintptr(height), uintptr(unsafe.Pointer(&raw[0])), uintptr(unsafe.Pointer(&header)), 0)
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		out.Set(i%width, i/width, color.RGBA{raw[4*i+2], raw[4*i+1], raw[4*i], 255})
	}
	return out
}

// answer has the service answer each watch with the next screen, and hang up on
// who asks for anything else. After the last one it says nothing.
func (s *started) answer(screens [][]byte) {
	go func() {
		requests := bufio.NewScanner(s.pipes.ReadCloser)
		for requests.Scan() {
			block := []byte("hello 1\n\n")
			switch verb, _, _ := strings.Cut(requests.Text(), " "); {
			case verb == "watch" && len(screens) > 0:
				block, screens = screens[0], screens[1:]
			case verb == "watch":
				continue
			case verb != "hello":
				_ = s.pipes.Out.Close()
				return
			}
			if _, err := s.pipes.Write(block); err != nil {
				return
			}
		}
	}()
}

// serveBytes sends bytes to the window, whatever they are, and hangs up or not.
func (s *started) serveBytes(data []byte) error {
	go func() { _, _ = io.Copy(io.Discard, s.pipes.ReadCloser) }()
	_, err := s.pipes.Write(data)
	if err != nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, windows.ERROR_NO_DATA) && !errors.Is(err, windows.ERROR_BROKEN_PIPE) {
		return fmt.Errorf("sending: %w", err)
	}
	return nil
}
