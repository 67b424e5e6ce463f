package window

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// These tests run the agent's program as its service starts it, and look at its
// window as a person, a screen reader and whoever means harm would.

// asNow is a screen that stands for some minutes from now on, in the agent's own
// words.
func asNow(state signin.State) *local.Screen {
	s := screenIn("English", state)
	switch state {
	case signin.Starting:
		s.Message = "One moment."
	case signin.Number:
		s.Title, s.Message = "Almost there", "Type the number that your other device shows."
	case signin.Failed:
		s.Title, s.Message, s.Code = "This did not work", api.Explain(api.CodeOffline).Employee, api.CodeOffline
		s.Online = false
	}
	if !s.Ends.IsZero() {
		s.Ends = time.Now().Add(598 * time.Second)
	}
	return s
}

func TestWindowsPictures(t *testing.T) {
	for _, state := range windowStates {
		t.Run(string(state), func(t *testing.T) { startWindow(t, newScript(asNow(state))).save(string(state)) })
	}
}

// Each text is a control of its own, in the order in which it is read.
func TestWindowsTexts(t *testing.T) {
	sc := newScript(asNow(signin.Starting))
	s := startWindow(t, sc)
	for _, state := range windowStates {
		screen := asNow(state)
		sc.change(func(now *signin.Screen) {
			screen.Serial = now.Serial
			*now = screen.Screen
		})
		var want []string
		for _, line := range said(newPage(screen, time.Now())) {
			id, text, _ := strings.Cut(line, "=")
			class := "Static"
			switch name, _, _ := strings.Cut(id, "."); {
			case id == "field":
				class = "Edit"
			case name == "button":
				class = "Button"
			case id == factLeft:
				text = "9:5"
			}
			want = append(want, class+": "+text)
		}
		var got []string
		s.until("it shows "+string(state), func() bool {
			got = s.texts()
			for i := range got {
				if strings.HasPrefix(got[i], "Static: 9:5") {
					got[i] = "Static: 9:5"
				}
			}
			return len(got) == len(want) && got[len(got)-1] == want[len(want)-1] && strings.Join(got, "\n") == strings.Join(want, "\n")
		})
		if title := textOf(s.window); title != screen.Title {
			t.Errorf("the window is called %q", title)
		}
	}
}

// The time that is left goes on without the service.
func TestWindowsTimeGoesOn(t *testing.T) {
	s := startWindow(t, newScript(asNow(signin.Waiting)))
	seen := map[string]bool{}
	s.until("the time goes on", func() bool {
		for _, text := range s.texts() {
			if strings.HasPrefix(text, "Static: 9:5") {
				seen[text] = true
			}
		}
		return len(seen) >= 2
	})
}

// There is nothing to drag it by, no menu and no button on the task bar; it is
// above all others, in the middle.
func TestWindowsLeadsNowhere(t *testing.T) {
	sc := newScript(asNow(signin.Number))
	s := startWindow(t, sc)
	style := func(index int) uint32 { return uint32(call(procGetWindowLong, s.window, uintptr(index))) }
	const caption, sysMenu, thickFrame, appWindow, acceptFiles = 0x00c00000, 0x00080000, 0x00040000, 0x00040000, 0x10
	if got := style(-16); got&(caption|sysMenu|thickFrame) != 0 || got&wsPopup == 0 {
		t.Errorf("style %#x", got)
	}
	if got := style(-20); got&(appWindow|acceptFiles) != 0 || got&wsExTopmost == 0 || got&wsExToolWindow == 0 {
		t.Errorf("extended style %#x", got)
	}
	var r nativeRect
	call(procGetWindowRect, s.window, uintptr(unsafe.Pointer(&r)))
	screenW, screenH := int32(call(procGetSystemMetrics, smCxScreen)), int32(call(procGetSystemMetrics, smCyScreen))
	if dx, dy := r.left-(screenW-r.right), r.top-(screenH-r.bottom); dx*dx > 1 || dy*dy > 1 {
		t.Errorf("it is not in the middle: %+v of %d×%d", r, screenW, screenH)
	}
	edit := s.child("Edit", "")
	call(procSendMessage, edit, wmSetText, 0, uintptr(unsafe.Pointer(utf16("12"))))
	before := s.texts()
	const scMove, scSize, scKeyMenu, scTaskList, f1 = 0xf010, 0xf000, 0xf100, 0xf130, 0x70
	for _, command := range []uintptr{scMove, scSize, scKeyMenu, scTaskList} {
		call(procSendMessage, s.window, wmSysCommand, command, 0)
	}
	for _, m := range []uintptr{wmContextMenu, wmHelp} {
		call(procSendMessage, edit, m, s.window, ^uintptr(0))
		call(procSendMessage, s.window, m, s.window, ^uintptr(0))
	}
	s.key(f1, keyInsert)
	call(procSendMessage, edit, 0, 0, 0)
	if diff := cmp.Diff(before, s.texts()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	var others []string
	for _, h := range enumerate(procEnumWindows, 0) {
		var pid uint32
		call(procGetThreadProcess, h, uintptr(unsafe.Pointer(&pid)))
		if int(pid) == s.cmd.Process.Pid && call(procIsVisible, h) != 0 && h != s.window {
			others = append(others, className(h))
		}
	}
	if len(others) > 0 || len(sc.actions()) > 0 {
		t.Errorf("windows %q, actions %q", others, sc.actions())
	}
}

// Nothing goes into the field but digits that are typed, and nothing comes out.
func TestWindowsKnowsNoClipboard(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mine, err := createWindow(0, "EDIT", "99", wsPopup|esAutoHScroll, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer call(procDestroyWindow, mine)
	selectAll := func(h uintptr) { call(procSendMessage, h, emSetSel, 0, ^uintptr(0)) }
	selectAll(mine)
	call(procSendMessage, mine, wmCopy, 0, 0)
	s := startWindow(t, newScript(asNow(signin.Number)))
	edit := s.child("Edit", "")
	call(procSendMessage, edit, wmSetText, 0, uintptr(unsafe.Pointer(utf16("12"))))
	type sent struct{ message, wParam uintptr }
	for _, m := range []sent{
		{wmCopy, 0}, {wmCut, 0}, {wmClear, 0}, {wmPaste, 0}, {wmUndo, 0}, {emUndo, 0},
		{wmChar, 0x03}, {wmChar, 0x18}, {wmChar, 0x16}, {wmChar, 0x1a}, {wmChar, 'A'}, {wmChar, '-'}, {wmChar, 0x664}, {wmKeyDown, keyInsert},
	} {
		selectAll(edit)
		call(procSendMessage, edit, m.message, m.wParam, 1)
		if text := textOf(edit); text != "12" {
			t.Errorf("after message %#x, %#x the field says %q", m.message, m.wParam, text)
		}
	}
	selectAll(mine)
	call(procSendMessage, mine, wmClear, 0, 0)
	call(procSendMessage, mine, wmPaste, 0, 0)
	if text := textOf(mine); text != "99" {
		t.Errorf("the clipboard holds %q", text)
	}
}

// The keyboard alone will do.
func TestWindowsKeyboard(t *testing.T) {
	const tab = 0x09
	sc := newScript(asNow(signin.Number))
	s := startWindow(t, sc)
	edit, next, cancel := s.child("Edit", ""), s.child("Button", "Next"), s.child("Button", "Cancel")
	has := func(what string, h uintptr) {
		t.Helper()
		s.until(what+" has the keyboard", func() bool { return s.focused() == h })
	}
	acted := func(want ...string) {
		t.Helper()
		s.until(fmt.Sprintf("%q was pressed", want), func() bool { return strings.Join(sc.actions(), " ") == strings.Join(want, " ") })
	}
	has("the field", edit)
	s.key(keyReturn) // with nothing typed
	s.key('4', 'X', '8', keyBack, '7')
	s.until("the number is there", func() bool { return textOf(edit) == "47" })
	s.key(tab)
	has("Next", next)
	s.key(tab)
	has("Cancel", cancel)
	s.key(tab)
	has("the field", edit)
	call(procPostMessage, edit, wmKeyDown, keyReturn, 1|keyRepeat) // held down before
	s.key(keyReturn)
	acted("submit47")
	s.until("Next is grey", func() bool { return call(procIsEnabled, next) == 0 })
	s.key(keyReturn)

	sc.change(func(now *signin.Screen) { now.Code, now.Message = api.CodeNumberWrong, "That was another number." })
	s.until("the field is empty", func() bool { return textOf(edit) == "" && call(procIsEnabled, next) != 0 })
	has("the field", edit)
	s.key('1', '2')
	s.until("the number is there", func() bool { return textOf(edit) == "12" })
	sc.change(func(now *signin.Screen) { now.Online = false })
	s.until("it is offline", func() bool { return strings.Contains(strings.Join(s.texts(), "\n"), wordOffline) })
	if text := textOf(edit); text != "12" || s.focused() != edit {
		t.Errorf("what was typed is %q when the network goes", text)
	}
	s.key(tab)
	has("Next", next)
	s.key(keySpace)
	acted("submit47", "submit12")
	has("the field", edit)
	s.key(keyEscape)
	acted("submit47", "submit12", "cancel")
	s.key(tab) // Next is grey
	has("Cancel", cancel)
	s.key(keyReturn)
	acted("submit47", "submit12", "cancel", "cancel")
	call(procPostMessage, s.window, wmSysCommand, scClose, 0) // Alt+F4
	acted("submit47", "submit12", "cancel", "cancel", "cancel")
}

// Another screen, scale or choice of colours takes away nothing.
func TestWindowsKeepsWhatWasTyped(t *testing.T) {
	s := startWindow(t, newScript(asNow(signin.Number)))
	edit := s.child("Edit", "")
	s.until("the field has the keyboard", func() bool { return s.focused() == edit })
	s.key('1', '2')
	s.until("the number is there", func() bool { return textOf(edit) == "12" })
	for _, m := range []uintptr{wmDpiChanged, wmDisplayChange, wmSettingChange, wmSysColorChange, wmThemeChanged} {
		call(procSendMessage, s.window, m, 0, 0)
		if text := textOf(s.child("Edit", "")); text != "12" || s.focused() != edit || call(procIsVisible, s.window) == 0 {
			t.Errorf("after message %#x the field says %q", m, text)
		}
	}
}

// Whoever pressed Enter at the tile does not cancel by it.
func TestWindowsEnterDoesNotCancel(t *testing.T) {
	sc := newScript(asNow(signin.Waiting))
	s := startWindow(t, sc)
	s.key(keyReturn, keySpace)
	call(procSendMessage, s.window, 0, 0, 0)
	s.key(keyEscape)
	s.until("Escape was pressed", func() bool { return len(sc.actions()) > 0 })
	if diff := cmp.Diff([]string{"cancel"}, sc.actions()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWindowsClosesWhatFailed(t *testing.T) {
	for _, key := range []uintptr{keyReturn, keyEscape} {
		sc := newScript(asNow(signin.Failed))
		s := startWindow(t, sc)
		s.key(key)
		if code := s.code(); code != 0 || len(sc.actions()) > 0 {
			t.Errorf("code %d, actions %q: %s", code, sc.actions(), &s.stderr)
		}
	}
}

func TestWindowsEndsWithTheStatesOfTheTile(t *testing.T) {
	for _, state := range []signin.State{signin.Password, signin.Hidden} {
		sc := newScript(asNow(signin.Waiting))
		s := startWindow(t, sc)
		sc.change(func(now *signin.Screen) { now.State = state })
		if code := s.code(); code != 0 || s.stderr.Len() > 0 {
			t.Errorf("%s: code %d: %s", state, code, &s.stderr)
		}
	}
}

func TestWindowsEndsWithTheService(t *testing.T) {
	s := startProgram(t, "signin-window")
	if err := s.pipes.Close(); err != nil {
		t.Error(err)
	}
	if code := s.code(); code > 1 {
		t.Errorf("before it greets: code %d: %s", code, &s.stderr)
	}
	s = startWindow(t, newScript(asNow(signin.Waiting)))
	if err := s.pipes.Out.Close(); err != nil {
		t.Error(err)
	}
	if code := s.code(); code != 0 {
		t.Errorf("while it is seen: code %d: %s", code, &s.stderr)
	}
}

// A service that says nothing any more has its window closed, too.
func TestWindowsEndsWhenTheServiceHangs(t *testing.T) {
	mute, hung := startProgram(t, "signin-window"), startProgram(t, "signin-window")
	if err := hung.serveBytes([]byte("hello 1\n\nscreen 1\nstate=starting\ntitle=Hung\naction=cancel secondary Cancel\n\n")); err != nil {
		t.Fatal(err)
	}
	hung.until("its window is seen", func() bool { hung.window = hung.find(); return hung.window != 0 })
	hung.key(keyEscape)
	for name, s := range map[string]*started{"mute": mute, "hung": hung} {
		if code := s.code(); code != 1 || !strings.HasPrefix(s.stderr.String(), "error: ") {
			t.Errorf("%s: code %d: %s", name, code, &s.stderr)
		}
	}
}

// Whatever screens come, it shows them; whatever else comes, it ends.
func TestWindowsRandomBlocks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	screens := func(n int) (blocks [][]byte) {
		for i := range n {
			blocks = append(blocks, randomBlock(random, i+1))
		}
		return blocks
	}
	s := startProgram(t, "signin-window")
	s.answer(append(screens(2000), []byte("screen 2001\nstate=waiting\ntitle=The last one\n\n")))
	s.until("the last one is seen", func() bool { s.window = s.find(); return s.window != 0 && textOf(s.window) == "The last one" })
	if err := s.pipes.Out.Close(); err != nil {
		t.Error(err)
	}
	if code := s.code(); code != 0 || s.stderr.Len() > 0 {
		t.Errorf("code %d: %s", code, &s.stderr)
	}
	for range 10 {
		damaged := append([]byte("hello 1\n\n"), bytes.Join(screens(20), nil)...)
		for range 5 {
			damaged[random.IntN(len(damaged))] = byte(random.IntN(256))
		}
		s := startProgram(t, "signin-window")
		err := s.serveBytes(damaged)
		_ = s.pipes.Out.Close()
		if code := s.code(); err != nil || code > 1 {
			t.Errorf("%q: code %d: %v, %s", damaged, code, err, &s.stderr)
		}
	}
}

// randomBlock is a screen of random texts, in one of the window's states.
func randomBlock(random *rand.Rand, serial int) []byte {
	text := func(most int) string {
		var b strings.Builder
		for range random.IntN(most) {
			switch letters := []rune("aW 1-.é漢ש\u0301😀"); random.IntN(20) {
			case 0:
				b.WriteString("%0A")
			default:
				b.WriteRune(letters[random.IntN(len(letters))])
			}
		}
		return b.String()
	}
	out := fmt.Appendf(nil, "screen %d\nstate=%s\n", serial, windowStates[random.IntN(len(windowStates))])
	for _, key := range []string{"title", "message", "text", "help", "usercode", "uri", "device.name", "device.serial", "device.model", "later"} {
		if random.IntN(3) > 0 {
			out = fmt.Appendf(out, "%s=%s\n", key, text(150))
		}
	}
	if random.IntN(2) > 0 {
		out = fmt.Appendf(out, "online=yes\nleft=%d\ncode=c%d\n", random.IntN(1000000), random.IntN(3))
	}
	for _, f := range []string{"field=number digits ", "action=submit primary ", "action=cancel secondary "} {
		if random.IntN(2) > 0 {
			out = fmt.Appendf(out, "%s%s\n", f, text(50))
		}
	}
	if random.IntN(2) > 0 {
		for _, row := range local.QRCode(text(50) + "x") {
			out = fmt.Appendf(out, "qr=%s\n", row)
		}
	}
	return append(out, '\n')
}
