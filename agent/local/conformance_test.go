package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testtool"
)

// vector is a file below testdata, see the README there.
type vector struct {
	name  string
	steps []step
	want  string
}

// step is bytes to send, or a kind of block to wait for.
type step struct {
	send  []byte
	await string
}

func readVectors(t testing.TB, folder string) (all []vector) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", folder, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script, want, ok := strings.Cut(string(data), "---\n")
		if !ok || !strings.HasPrefix(script, "# ") {
			t.Fatalf("%s has no reason or no outcome", file)
		}
		v := vector{name: strings.TrimSuffix(filepath.Base(file), ".txt"), want: strings.TrimSpace(want)}
		for line := range strings.Lines(script) {
			v.steps = append(v.steps, readStep(t, strings.TrimSpace(line))...)
		}
		all = append(all, v)
	}
	return all
}

func readStep(t testing.TB, line string) []step {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "#":
		return nil
	case "await":
		return []step{{await: rest}}
	}
	quoted, err := strconv.QuotedPrefix(rest)
	times := 1
	if count := strings.TrimSpace(strings.TrimPrefix(rest, quoted)); err == nil && count != "" {
		times, err = strconv.Atoi(count)
	}
	text, unquoted := strconv.Unquote(quoted)
	if verb != "send" || errors.Join(err, unquoted) != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return []step{{send: bytes.Repeat([]byte(text), times)}}
}

// stream is all that the vector sends.
func (v *vector) stream() []byte {
	var all []byte
	for _, s := range v.steps {
		all = append(all, s.send...)
	}
	return all
}

// understood reads what a service sends, as a surface does.
func understood(r io.Reader) string {
	var b strings.Builder
	in := &lines{r: r}
	now := time.Now()
	for {
		got, err := readBlock(in)
		var s *Screen
		if err == nil && got.word(0) == kindScreen {
			s, err = readScreen(got, now)
		}
		switch {
		case errors.Is(err, io.EOF):
			return b.String() + "end"
		case err != nil:
			return b.String() + "refused"
		case s != nil:
			b.WriteString(shown(s, now))
		case got.word(0) == kindOK && got.word(1) == verbLogon:
			packed, err := readLogon(got)
			if err != nil {
				return b.String() + "refused"
			}
			fmt.Fprintf(&b, "ok logon\nblob=%X\n", packed)
		default:
			b.WriteString(got.word(0) + " " + got.word(1) + "\n")
			for _, key := range []string{"code", "message", "agent"} {
				if value := got.value(key); value != "" {
					b.WriteString(key + "=" + escape(value) + "\n")
				}
			}
		}
	}
}

// shown writes a screen that a surface has understood.
func shown(s *Screen, now time.Time) string {
	b := screenBlock(&s.Screen, now)
	b.pairs = slices.DeleteFunc(b.pairs, func(p pair) bool {
		return p.key == "qr" || p.key == keyAnchor || p.key == "device.heard" || p.value == yes(false) && (p.key == "online" || p.key == "device.managed")
	})
	at := 0
	for i, p := range b.pairs {
		if p.key == "qrtext" || p.key == "page" || p.key == "origin" {
			at = i + 1
		}
	}
	if at == 0 && len(s.Modules)+len(s.Anchors) > 0 {
		at = slices.IndexFunc(b.pairs, func(p pair) bool {
			return p.key == "left" || p.key == "account" || strings.HasPrefix(p.key, "device.")
		})
		if at < 0 {
			at = len(b.pairs)
		}
	}
	for _, row := range slices.Backward(s.Modules) {
		b.pairs = slices.Insert(b.pairs, at, pair{"qr", row})
	}
	for _, der := range slices.Backward(s.Anchors) {
		b.pairs = slices.Insert(b.pairs, at, pair{keyAnchor, fmt.Sprintf("%X", der)})
	}
	var out strings.Builder
	out.WriteString(strings.Join(b.words, " ") + "\n")
	for _, p := range b.pairs {
		out.WriteString(p.key + "=" + escape(p.value) + "\n")
	}
	return out.String()
}

func TestSurfacesUnderstand(t *testing.T) {
	for _, v := range readVectors(t, "service") {
		t.Run(v.name, func(t *testing.T) {
			if diff := cmp.Diff(v.want, understood(bytes.NewReader(v.stream()))); diff != "" {
				t.Errorf("at once (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(v.want, understood(iotest.OneByteReader(bytes.NewReader(v.stream())))); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReferenceInC proves that a shim in C can do it, and that it understands
// what we understand, of streams that are damaged too.
func TestReferenceInC(t *testing.T) {
	gcc := testtool.Need(t, "gcc")
	program := filepath.Join(t.TempDir(), "conformance")
	args := []string{"-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-g", "-o", program, "reference/surface.c", "reference/conformance.c"}
	out, err := exec.Command(gcc, append([]string{"-fsanitize=address,undefined", "-fno-sanitize-recover=all"}, args...)...).CombinedOutput()
	if err != nil {
		t.Logf("without sanitizers: %s", out)
		if out, err = exec.Command(gcc, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	run := func(t *testing.T, stream []byte, piece string) string {
		t.Helper()
		cmd := exec.Command(program, piece)
		cmd.Stdin = bytes.NewReader(stream)
		var errOut bytes.Buffer
		cmd.Stderr = &errOut
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, &errOut)
		}
		return strings.TrimSpace(string(out))
	}
	vectors := readVectors(t, "service")
	for _, v := range vectors {
		for _, piece := range []string{"1", "7", "4096"} {
			if diff := cmp.Diff(v.want, run(t, v.stream(), piece)); diff != "" {
				t.Errorf("%s in pieces of %s (-want +got):\n%s", v.name, piece, diff)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		stream := damage(random, vectors[random.IntN(len(vectors))].stream())
		if diff := cmp.Diff(understood(bytes.NewReader(stream)), run(t, stream, "16")); diff != "" {
			t.Fatalf("%q (-Go +C):\n%s", stream, diff)
		}
	}
}

// damage changes a few bytes, to such as mean something above all.
func damage(random *rand.Rand, stream []byte) []byte {
	const odd = "\n\n= %1aF0\x00\x1f\x7f\x80\xc3\xe0\xf0"
	for range 1 + random.IntN(3) {
		if len(stream) == 0 {
			break
		}
		at := random.IntN(min(len(stream), 2000))
		switch c := odd[random.IntN(len(odd))]; random.IntN(3) {
		case 0:
			stream[at] = c
		case 1:
			stream = slices.Insert(stream, at, c)
		default:
			stream = slices.Delete(stream, at, at+1)
		}
	}
	return stream
}

// fixed is a sign-in that shows one screen and takes any action on it.
type fixed struct {
	signin.Screen
	mu    sync.Mutex
	taken []string
	given bool
	disk  bool // FileVault has let somebody in
}

func newFixed() *fixed {
	return &fixed{Screen: signin.Screen{
		Serial: 7, State: signin.Number, Title: "Almost there", Online: true,
		Fields:  []signin.Field{{Name: signin.FieldNumber, Label: "Number", Digits: true}},
		Actions: []signin.ActionButton{{Name: signin.Submit, Label: "Next", Primary: true}, {Name: signin.Cancel, Label: "Cancel"}},
	}}
}

func (f *fixed) NextIn(ctx context.Context, _ string, serial int64) (signin.Screen, error) {
	if serial != f.Serial {
		return f.Screen, nil
	}
	<-ctx.Done()
	return f.Screen, ctx.Err()
}

func (f *fixed) Act(_ context.Context, a signin.Action) error {
	if a.Serial != f.Serial {
		return signin.ErrStale
	}
	text := string(a.Name)
	for _, name := range slices.Sorted(maps.Keys(a.Fields)) {
		text += " " + name + "=" + escape(a.Fields[name])
	}
	if a.SameDevice {
		text += " " + sameDevice
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = append(f.taken, text)
	return nil
}

func (f *fixed) Logon(_ context.Context, serial, _ int64) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if serial != f.Serial || f.given {
		return nil, signin.ErrNoLogon
	}
	f.given = true
	return []byte("hunter22"), nil
}

func (f *fixed) fileVault(context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.disk
	f.disk = true
	return first
}

func (f *fixed) actions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.taken)
}

// serve runs a server on a socket until the test ends, and gives its address.
func serve(t testing.TB, s *Server) string {
	t.Helper()
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.Version = "1.2.3"
	address := testAddress(t)
	l, err := Listen(address, s.Log)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, s, l)
	return address
}

// serveOn runs a server until the test ends.
func serveOn(t testing.TB, s *Server, l net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestServiceUnderstands(t *testing.T) {
	for _, v := range readVectors(t, "surface") {
		t.Run(v.name, func(t *testing.T) {
			f := newFixed()
			var log bytes.Buffer
			s := &Server{SignIn: f, Refresh: func(context.Context) api.Code { return "" }, FileVault: f.fileVault, Desk: &desk{}, Log: slog.New(slog.NewTextHandler(&log, nil))}
			conn, err := net.Dial("unix", serve(t, s))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got := append(answers(t, conn, &v), f.actions()...)
			if diff := cmp.Diff(v.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// answers sends a vector's bytes, and gives the first lines of what comes back.
func answers(t *testing.T, conn net.Conn, v *vector) (heads []string) {
	t.Helper()
	in := bufio.NewReader(conn)
	block := func() (head string, err error) {
		for line := ""; line != "\n" && err == nil; head += line {
			line, err = in.ReadString('\n')
		}
		head, _, _ = strings.Cut(head, "\n")
		return head, err
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, s := range v.steps {
		if s.await == "" {
			if _, err := conn.Write(s.send); err != nil {
				break // it has hung up
			}
			continue
		}
		for head := ""; !strings.HasPrefix(head, s.await); heads = append(heads, head) {
			var err error
			if head, err = block(); err != nil {
				t.Fatalf("waiting for %s: %v", s.await, err)
			}
		}
	}
	_ = conn.(*net.UnixConn).CloseWrite() // it may have hung up
	for {
		head, err := block()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("it does not hang up")
		}
		if err != nil {
			return heads
		}
		heads = append(heads, head)
	}
}

func testAddress(t testing.TB) string {
	t.Helper()
	// Names of sockets are short, and those of tests are not.
	dir, err := os.MkdirTemp("", "firstday")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "run", "agent.sock")
}
