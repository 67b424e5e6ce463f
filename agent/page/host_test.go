package page

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
	"firstday.dev/internal/testvectors"
)

const waiting = "screen 7\nstate=waiting\npage=https://id.acme.example/signin?code=x\norigin=https://idp.example\n\n"

// greeted is a talk that has begun.
func greeted(t testing.TB) *talk {
	t.Helper()
	k := begin("login-window", "", time.Time{})
	for _, b := range blocks(t, "hello 1\n\n") {
		if err := k.take(b, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	k.out = nil
	return k
}

func TestTalkPassesOnWhatThePageSays(t *testing.T) {
	for _, c := range []struct {
		said, sent string
		wish       Wish
	}{
		{"act start 7 same-device", "act start 7 same-device\n", Nothing},
		{"field a 1\nfield b \nact submit 7\n", "field a 1\nfield b \nact submit 7\n", Nothing},
		{"ask users", "users\n", Nothing},
		{"ask wifi on", "wifi on\n", Nothing},
		{"field name My Net\nfield password x\nask join", "field name My Net\nfield password x\njoin\n", Nothing},
		{"refresh", "refresh\n", Nothing},
		{"ready", "", Ready},
		{"show\n", "", Show},
		{"shut", "", Shut},
		{"portal", "", Malformed}, // there is none
		{"wlan scan", "", Nothing},
		{"field name x\nwlan join", "", Nothing},
		{"", "", Malformed},
		{"\n", "", Malformed},
		{"act", "", Malformed},
		{"ask", "", Malformed},
		{"ask bye", "", Malformed},
		{"ask wifi  on", "", Malformed},
		{"ask users ", "", Malformed},
		{"field a 1", "", Malformed},
		{"field a 1\nask users", "", Malformed},
		{"field a 1\nrefresh", "", Malformed},
		{"act submit 7\nact submit 7", "", Malformed},
		{"watch 0", "", Malformed},
		{"hello 1 x\nact submit 7", "", Malformed},
		{"field a \x01\nact submit 7", "", Malformed},
		{"field a \xff\nact submit 7", "", Malformed},
		{"field a " + strings.Repeat("b", 1016) + "\nact submit 7", "", Malformed},
		{strings.Repeat("field a b\n", 1300) + "act submit 7", "", Malformed},
		{"login\n\nx", "", Malformed},
		{"login\nann\nx\ny", "", Malformed},
		{"login\na%00\nx", "", Malformed},
		{"login\nann\nx%4", "", Malformed},
		{"login\n" + strings.Repeat("n", 800) + "\nx", "", Malformed},
	} {
		k := greeted(t)
		for _, b := range blocks(t, waiting) {
			if err := k.take(b, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		k.out = nil
		text := []byte(c.said)
		wish, err := k.said(text, time.Time{})
		if err != nil || wish != c.wish || string(k.out) != c.sent || k.logon != nil {
			t.Errorf("%.40q: wish %d, %v, sent %q", c.said, wish, err, k.out)
		}
		if slices.ContainsFunc(text, func(b byte) bool { return b != 0 }) {
			t.Errorf("%.40q is kept", c.said)
		}
	}
}

func TestTalkAnswersWhatThePageAsks(t *testing.T) {
	k := greeted(t)
	say := func(text string) {
		t.Helper()
		if wish, err := k.said([]byte(text), time.Time{}); wish != Nothing || err != nil {
			t.Fatalf("%s: %d, %v", text, wish, err)
		}
	}
	hear := func(stream string) {
		t.Helper()
		for _, b := range blocks(t, stream) {
			if err := k.take(b, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	say("ask users")
	say("ask network")
	say("ask network")
	say("ask power restart")
	if got := string(k.out); got != "users\n" {
		t.Errorf("sent %q, more than one at a time", got)
	}
	hear("ok later\n\nok users\nlist=yes\nuser=ann managed Ann <%25> Example\n\n")
	hear("ok network\ninternet=captive\nportal=http://portal.example/\n\n")
	hear("error others\nmessage=Somebody is logged in.\n\n")
	want := []string{
		`{"kind":"answer","verb":"network","error":"busy"}`,
		`{"kind":"answer","verb":"users","pairs":[["list","yes"],["user","ann managed Ann \u003c%\u003e Example"]]}`,
		`{"kind":"answer","verb":"network","pairs":[["internet","captive"],["portal","http://portal.example/"]]}`,
		`{"kind":"answer","verb":"power","error":"others","message":"Somebody is logged in."}`,
	}
	if diff := cmp.Diff(want, k.told); diff != "" || string(k.out) != "users\nnetwork\npower restart\n" {
		t.Errorf("sent %q, told (-want +got):\n%s", k.out, diff)
	}
	if wish, _ := k.said([]byte("portal"), time.Time{}); wish != Portal {
		t.Error("there is no portal")
	}
	say("ask network")
	hear("error failed network\n\n")
	if wish, _ := k.said([]byte("portal"), time.Time{}); wish != Malformed {
		t.Error("there is a portal, and the network is not known")
	}
	say("ask network")
	hear("ok network\ninternet=captive\nportal=file:///etc/passwd\n\n")
	if wish, _ := k.said([]byte("portal"), time.Time{}); wish != Malformed {
		t.Error("a file is shown as a portal")
	}
	if err := k.take(blocks(t, "error others\n\n")[0], time.Time{}); !errors.Is(err, errBroken) {
		t.Errorf("an error that nothing was asked for: %v", err)
	}
}

// Where the other web view may go.
func TestHostShowsPagesOfTheSignInOnly(t *testing.T) {
	h := new(Host)
	h.talk = greeted(t)
	for _, b := range blocks(t, waiting) {
		if err := h.talk.take(b, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]bool{
		"https://id.acme.example/": true, "https://id.acme.example:443/signin/done?x=1#y": true, "https://idp.example/a": true, "HTTPS://ID.ACME.EXAMPLE/": true,
		"http://id.acme.example/": false, "https://id.acme.example.evil.example/": false, "https://id.acme.example:8443/": false, "https://id.acme.example@evil.example/": false,
		"https://evil.example/id.acme.example": false, "https://": false, "": false, "file:///etc/passwd": false, "javascript:alert(1)": false, "https://id.acme.exampl\\e/": false, "about:blank": false,
	}
	if h.Address() != "" {
		t.Error("a page is shown that nobody has wished")
	}
	if h.Said([]byte("show")) != Show || h.Address() != "https://id.acme.example/signin?code=x" {
		t.Errorf("the first page is %s", h.Address())
	}
	for address, may := range all {
		if h.MayShow(address) != may {
			t.Errorf("%s: %v", address, !may)
		}
	}
	for _, b := range blocks(t, "screen 8\nstate=number\n\n") { // which that page shows
		if err := h.talk.take(b, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if !h.MayShow("https://idp.example/number") {
		t.Error("the page with the number is not shown")
	}
	h.talk.portal = "http://portal.example/"
	if h.Said([]byte("portal")) != Portal || h.Address() != h.talk.portal || !h.MayShow("http://elsewhere.example/") || h.MayShow("file:///etc/passwd") {
		t.Error("a portal is not shown, or more than one")
	}
	h.talk.portal = "" // the network lets everybody through
	if h.MayShow("http://elsewhere.example/") || h.Address() != "" {
		t.Error("a portal that is none any more")
	}
	h.Said([]byte("shut"))
	if h.MayShow("https://id.acme.example/") {
		t.Error("it is shut")
	}
}

// service is somebody in the place of the agent's service, and host what speaks with them.
type service struct {
	host *Host
	told chan string
	end  chan error
	got  *Logon
}

// meet runs a host in a bubble of time; nil: nobody is there.
func meet(ctx context.Context, speak func(conn net.Conn, in *bufio.Scanner)) *service {
	s := &service{told: make(chan string, 100), end: make(chan error, 1)}
	s.host = &Host{Surface: "login-window", Session: "257", Tell: func(json string) { s.told <- json }, Dial: func(context.Context) (net.Conn, error) {
		if speak == nil {
			return nil, errors.New("nobody is there")
		}
		a, b := net.Pipe()
		go func() {
			defer b.Close()
			speak(b, bufio.NewScanner(b))
		}()
		return a, nil
	}}
	go func() {
		var err error
		s.got, err = s.host.Run(ctx)
		s.end <- err
	}()
	return s
}

// hears reads lines until one is there.
func hears(in *bufio.Scanner, line string) bool {
	for in.Scan() {
		if in.Text() == line {
			return true
		}
	}
	return false
}

func says(conn net.Conn, text string) { _, _ = io.WriteString(conn, text) }

func TestHostSignsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := meet(t.Context(), func(conn net.Conn, in *bufio.Scanner) {
			hears(in, "hello 1 login-window 257")
			says(conn, "hello 1\n\n")
			hears(in, "watch 0")
			says(conn, "screen 7\nstate=password\nfield=password secret Password\naction=submit primary Next\n\n")
			hears(in, "act submit 7")
			says(conn, "ok act\n\nscreen 8\nstate=done\nlogon=yes\n\n")
			hears(in, "logon 8")
			says(conn, "ok logon\nblob=616E6E00702077\n\n")
			hears(in, "")
		})
		s.host.Said([]byte("ready"))
		if got := <-s.told; got != `{"kind":"screen","serial":"7","state":"password","fields":[{"name":"password","kind":"secret","label":"Password"}],"actions":[{"name":"submit","rank":"primary","label":"Next"}],"qr":[]}` {
			t.Error(got)
		}
		s.host.Said([]byte("field password p w\nact submit 7"))
		if err := <-s.end; err != nil || s.got.Name != "ann" || string(s.got.Password) != "p w" {
			t.Errorf("%v, %+v", err, s.got)
		}
		s.got.Wipe()
	})
}

// Whatever the service does, the person is back at Apple's window in time, and who
// has an account gets in.
func TestHostNeedsNoService(t *testing.T) {
	for _, c := range []struct {
		name  string
		speak func(net.Conn, *bufio.Scanner)
		say   string
		want  error
		most  time.Duration
	}{
		{"nobody", nil, "", ErrLost, patience + pause},
		{"silence", func(_ net.Conn, in *bufio.Scanner) { hears(in, "") }, "", ErrLost, answerTime + pause},
		{"noise", func(conn net.Conn, in *bufio.Scanner) { says(conn, "\x00\n"); hears(in, "") }, "", ErrLost, pause},
		{"half a block", func(conn net.Conn, in *bufio.Scanner) {
			hears(in, "hello 1 login-window 257")
			for {
				if _, err := io.WriteString(conn, "h"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, "", ErrLost, 6 * time.Second},
		{"no watch", func(conn net.Conn, in *bufio.Scanner) { says(conn, "hello 1\n\n"); hears(in, "") }, "", ErrLost, watchTime + pause},
		{"hangs up", func(conn net.Conn, in *bufio.Scanner) {
			hears(in, "hello 1 login-window 257")
			says(conn, "hello 1\n\n")
		}, "", ErrLost, 10 * pause},
		{"does not read", func(net.Conn, *bufio.Scanner) { time.Sleep(time.Minute) }, "", ErrLost, time.Minute},
		{"apple", nil, "apple", ErrApple, pause},
		{"apple, silence", func(_ net.Conn, in *bufio.Scanner) { hears(in, "") }, "apple", ErrApple, pause},
		{"login", nil, "login\nann\np%25", nil, pause},
		{"login, silence", func(_ net.Conn, in *bufio.Scanner) { hears(in, "") }, "login\nann\np%25", nil, pause},
		{"no answer", func(conn net.Conn, in *bufio.Scanner) {
			says(conn, "hello 1\n\n")
			for in.Scan() {
				if in.Text() == "watch 0" {
					says(conn, "screen 1\nstate=hidden\n\n")
				}
			}
		}, "ask users", ErrLost, 21 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := meet(t.Context(), c.speak)
				s.host.Said([]byte("ready"))
				if c.say != "" {
					synctest.Wait()
					s.host.Said([]byte(c.say))
				}
				err := <-s.end
				if !errors.Is(err, c.want) || err == nil && (s.got == nil || s.got.Name != "ann" || string(s.got.Password) != "p%") {
					t.Errorf("%v, %+v", err, s.got)
				}
				if took := time.Since(began); took > c.most {
					t.Errorf("after %v", took)
				}
				time.Sleep(time.Minute) // who does not read goes
			})
		})
	}
}

func TestHostTellsAnotherPageAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := meet(ctx, func(conn net.Conn, in *bufio.Scanner) {
			says(conn, "hello 1\n\n")
			for hears(in, "watch 0") {
				says(conn, "screen 1\nstate=hidden\n\n")
			}
		})
		for range 3 {
			s.host.Said([]byte("ready"))
			if got := <-s.told; !strings.Contains(got, `"state":"hidden"`) {
				t.Error(got)
			}
		}
		s.host.Gone()
		s.host.Said([]byte("nonsense"))
		synctest.Wait()
		if len(s.told) > 0 {
			t.Error("a page is told something that is gone")
		}
		s.host.Said([]byte("ready"))
		got := []string{<-s.told, <-s.told}
		slices.Sort(got)
		if got[1] != `{"kind":"screen","serial":"1","state":"hidden","fields":[],"actions":[],"qr":[]}` || got[0] != `{"kind":"malformed"}` {
			t.Error(got)
		}
		s.host.Closed()
		if got := <-s.told; got != `{"kind":"shut"}` {
			t.Error(got)
		}
		cancel()
		if err := <-s.end; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a page that does not load
		s := meet(t.Context(), func(conn net.Conn, in *bufio.Scanner) { says(conn, "hello 1\n\n"); hears(in, "") })
		if err := <-s.end; !errors.Is(err, ErrPage) {
			t.Error(err)
		}
	})
}

// vectors are those of the local protocol.
const vectors = "../local/testdata"

// The plug-in in C and this host tell a page the same.
func TestHostTellsWhatThePlugInTells(t *testing.T) {
	program := filepath.Join(t.TempDir(), "core")
	arguments := []string{"-std=c11", "-O1", "-o", program, "../loginplugin/testdata/core/main.c"}
	for _, pattern := range []string{"../loginplugin/native/*.c", "../local/reference/*.c"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !slices.Contains([]string{"visit.c", "guard.c", "plugin.c", "conformance.c"}, filepath.Base(file)) { // of macOS, and a program
				arguments = append(arguments, file)
			}
		}
	}
	out, err := exec.Command(testtool.Need(t, "gcc"), arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	streams, _ := testvectors.Service(t, vectors)
	for name, stream := range streams {
		cmd := exec.Command(program, "show", "1")
		cmd.Stdin = strings.NewReader(string(stream))
		theirs, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSpace(string(theirs)), "\n")
		if diff := cmp.Diff(want, show(t, stream)); diff != "" {
			t.Errorf("%s (-plug-in +host):\n%s", name, diff)
		}
	}
}

// show gives what a page is told of a stream, and its end.
func show(t testing.TB, stream []byte) (told []string) {
	k := greeted(t)
	in := reader(stream)
	for {
		b, err := in.Next()
		if errors.Is(err, io.EOF) {
			return append(told, "end")
		}
		if err == nil {
			err = k.take(b, time.Time{})
		}
		if err != nil {
			return append(told, "refused")
		}
		if k.screen != "" {
			told = append(told, k.screen)
		}
		told = append(told, k.told...)
		k.screen, k.told = "", nil
	}
}

// Whatever a service and a page say, only requests of the protocol reach the
// service, and only JSON the page.
func FuzzTalk(f *testing.F) {
	f.Add([]byte("screen 7\nstate=number\nqr=\nlogon=yes\n\nok act\n\n"), []byte("field number 47\nact submit 7"))
	f.Add([]byte(waiting), []byte("show"))
	f.Add([]byte("ok users\nuser=a managed \xe2\x80\xa8<b>\n\n"), []byte("ask users"))
	f.Add([]byte("ok logon\nblob=616E6E0070\n\n"), []byte("login\nann\n100%25 x"))
	f.Add([]byte("error unknown\n\n"), []byte("field name a\nask join"))
	f.Fuzz(func(t *testing.T, stream, said []byte) {
		k := greeted(t)
		in := reader(stream)
		for {
			before := len(k.out)
			wish, err := k.said(slices.Clone(said), time.Time{})
			if (wish == Malformed || err != nil) && len(k.out) != before {
				t.Fatalf("what is malformed is sent: %q", k.out[before:])
			}
			b, err := in.Next()
			if err != nil || k.take(b, time.Time{}) != nil {
				break
			}
			k.left(time.Time{})
		}
		checkSent(t, k.out)
		checkTold(t, append(k.told, k.screen))
		k.wipe()
	})
}

// The host says of each server by what it is known as the plug-in does, see trusts in
// loginplugin/testdata/core/main.c.
func TestHostTrustsWhatThePlugInTrusts(t *testing.T) {
	const anchor = "anchor=MAMCAQc=\n"
	for _, c := range []struct {
		page, anchor, host string
		port               int
		wish               Wish
		want               Trust
	}{
		{"https://id.acme.example/signin?code=1", anchor, "id.acme.example", 443, Show, Anchors},
		{"https://id.acme.example", anchor, "ID.acme.Example", 443, Show, Anchors},
		{"https://id.acme.example:443/", anchor, "id.acme.example", 443, Show, Anchors},
		{"https://id.acme.example:8443/", anchor, "id.acme.example", 8443, Show, Anchors},
		{"https://[2001:db8::1]:8443/", anchor, "2001:db8::1", 8443, Show, Anchors},
		{"https://192.0.2.7/", anchor, "192.0.2.7", 443, Show, Anchors},
		{"https://id.acme.example/", "", "id.acme.example", 443, Show, System},
		{"https://id.acme.example/", anchor, "id.acme.example", 443, Portal, System},
		{"https://id.acme.example/", anchor, "id.acme.example", 443, Nothing, NothingSaid},
		{"https://id.acme.example/", anchor, "id.acme.example", 8443, Show, System},
		{"https://id.acme.example:8443/", anchor, "id.acme.example", 443, Show, System},
		{"https://id.acme.example/", anchor, "id.acme", 443, Show, System},
		{"https://id.acme.example/", anchor, "x.id.acme.example", 443, Show, System},
		{"https://id.acme.example/", anchor, "login.example", 443, Show, System},
		{"https://id.acme.example/", anchor, "", 443, Show, System},
		{"https://id@evil/", anchor, "evil", 443, Show, System},
		{"http://id.acme.example/", anchor, "id.acme.example", 443, Show, System},
	} {
		k := greeted(t)
		for _, b := range blocks(t, "screen 7\nstate=waiting\npage="+c.page+"\n"+c.anchor+"\nscreen 8\nstate=number\n\n") {
			if err := k.take(b, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		k.portal = "https://id.acme.example/"
		h := &Host{talk: k, visit: c.wish}
		by, anchors := h.Trusts(true, c.host, c.port)
		if by != c.want || (by == Anchors) != (len(anchors) == 1) {
			t.Errorf("%+v: %d, %d anchors", c, by, len(anchors))
		}
		if by, anchors := h.Trusts(false, c.host, c.port); by != NothingSaid || anchors != nil {
			t.Errorf("%+v: it answers who is there", c)
		}
		h.talk = nil // the service is lost, and the pages are not shut yet
		if by, anchors := h.Trusts(true, c.host, c.port); by != NothingSaid || anchors != nil {
			t.Errorf("%+v: it says %d without a service", c, by)
		}
	}
}
