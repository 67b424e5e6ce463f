package testcredprov

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The kinds of fields that the tile has.
const (
	LargeText    = 1
	SmallText    = 2
	CommandLink  = 3
	EditText     = 4
	PasswordText = 5
	TileImage    = 6
	SubmitButton = 9
)

// What LogonUI adds to a field: the button that shows a password, and nothing but
// digits.
const (
	Reveal      = 1
	NumbersOnly = 8
)

// NoDefault is the index of no tile.
const NoDefault = 0xffffffff

var (
	ole32                 = windows.NewLazySystemDLL("ole32.dll")
	gdi32                 = windows.NewLazySystemDLL("gdi32.dll")
	coInitializeEx        = ole32.NewProc("CoInitializeEx")
	coCreateInstance      = ole32.NewProc("CoCreateInstance")
	coFreeUnusedLibraries = ole32.NewProc("CoFreeUnusedLibraries")
	getObject             = gdi32.NewProc("GetObjectW")
	getBitmapBits         = gdi32.NewProc("GetBitmapBits")
	deleteObject          = gdi32.NewProc("DeleteObject")

	iidProvider    = windows.GUID{Data1: 0xd27c3481, Data2: 0x5a1c, Data3: 0x45b2, Data4: [8]byte{0x8a, 0xaa, 0xc2, 0x0e, 0xbb, 0xe8, 0x22, 0x9e}}
	iidCredential2 = windows.GUID{Data1: 0xfd672c54, Data2: 0x40ea, Data3: 0x4d6e, Data4: [8]byte{0x9b, 0x49, 0xcf, 0xb1, 0xa7, 0x50, 0x7b, 0xd7}}
	iidOptions     = windows.GUID{Data1: 0xdbc6fb30, Data2: 0xc843, Data3: 0x49e3, Data4: [8]byte{0xa6, 0x45, 0x57, 0x3e, 0x6f, 0x39, 0x44, 0x6a}}
	iidSetUsers    = windows.GUID{Data1: 0x095c1484, Data2: 0x1c0c, Data3: 0x4388, Data4: [8]byte{0x9c, 0x6d, 0x50, 0x0e, 0x61, 0xbf, 0x84, 0xbd}}
)

// The places of methods in the interfaces' tables.
const (
	queryInterface, release = 0, 2

	setUsageScenario, setSerialization, advise, unAdvise             = 3, 4, 5, 6
	getFieldDescriptorCount, getFieldDescriptorAt                    = 7, 8
	getCredentialCount, getCredentialAt                              = 9, 10
	setUserArray                                                     = 3
	credentialAdvise, credentialUnAdvise, setSelected, setDeselected = 3, 4, 5, 6
	getFieldState, getStringValue, getBitmapValue, getSubmitValue    = 7, 8, 9, 11
	setStringValue, commandLinkClicked, getSerialization             = 14, 17, 18
	reportResult, getUserSid                                         = 19, 20
	getFieldOptions                                                  = 3
)

// object is a COM object, as its callers see it.
type object struct{ table *[32]uintptr }

// Host is a sign-in screen. Its calls come from one thread, as LogonUI's do.
type Host struct {
	// Longest is how long the provider took at most to answer a call.
	Longest time.Duration
	// Tile is what it shows.
	Tile Tile

	provider, credential *object
	selected             bool
	users                *nobody
	events               *events
	changed              chan struct{}
}

// Tile is what the provider says that the screen should show.
type Tile struct {
	Count, Default uint32
	Logon          bool // log on at once
	Fields         []Field
}

// Field is one of the tile's.
type Field struct {
	Type, State, Focus int
	Options            int // Reveal, or NumbersOnly
	Label, Text        string
}

// Serialization is what a person is logged on with.
type Serialization struct {
	Package  uint32
	Provider windows.GUID
	Bytes    []byte
}

type serialization struct {
	pkg      uint32
	provider windows.GUID
	size     uint32
	bytes    *byte
}

type descriptor struct {
	id    uint32
	kind  int32
	label *uint16
	_     windows.GUID
}

// events is an ICredentialProviderEvents.
type events struct {
	object
	changed chan struct{}
	told    atomic.Int32
}

// callbacks are never given back: there is one table for all hosts.
var eventsTable = &[32]uintptr{
	syscall.NewCallback(func(uintptr, uintptr, uintptr) uintptr { return uintptr(windows.E_NOINTERFACE) }),
	syscall.NewCallback(func(uintptr) uintptr { return 2 }),
	syscall.NewCallback(func(uintptr) uintptr { return 1 }),
	syscall.NewCallback(func(this *events, context uintptr) uintptr {
		if context != eventsContext {
			panic("another context than was given")
		}
		this.told.Add(1)
		select {
		case this.changed <- struct{}{}:
		default:
		}
		return 0
	}),
}

const eventsContext = 4711

// Error is an HRESULT.
type Error uint32

func (e Error) Error() string { return fmt.Sprintf("HRESULT %#x", uint32(e)) }

// ErrClassNotAvailable is what a provider that is switched off says.
const ErrClassNotAvailable = Error(0x80040111)

// ErrNotImplemented is what it says of other screens than the sign-in.
const ErrNotImplemented = Error(0x80004001)

func check(hr uintptr) error {
	if int32(hr) < 0 {
		return Error(uint32(hr))
	}
	return nil
}

// call calls a method, and measures how long it takes. What args point to stays
// where it is meanwhile.
//
//go:uintptrescapes
func (h *Host) call(o *object, method int, args ...uintptr) (uintptr, error) {
	begun := time.Now()
	hr, _, _ := syscall.SyscallN(o.table[method], append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)...)
	h.Longest = max(h.Longest, time.Since(begun))
	return hr, check(hr)
}

// Load makes the provider of a class, as COM does for LogonUI. It keeps the
// calling goroutine on its thread.
func Load(class string) (*Host, error) {
	runtime.LockOSThread()
	const apartmentThreaded, inProcess = 2, 1
	if hr, _, _ := coInitializeEx.Call(0, apartmentThreaded); check(hr) != nil {
		return nil, fmt.Errorf("CoInitializeEx: %w", check(hr))
	}
	clsid, err := windows.GUIDFromString(class)
	if err != nil {
		return nil, err
	}
	h := &Host{changed: make(chan struct{}, 1)}
	hr, _, _ := coCreateInstance.Call(uintptr(unsafe.Pointer(&clsid)), 0, inProcess, uintptr(unsafe.Pointer(&iidProvider)), uintptr(unsafe.Pointer(&h.provider)))
	if err := check(hr); err != nil {
		return nil, fmt.Errorf("CoCreateInstance: %w", err)
	}
	return h, nil
}

// SignIn is the scenario in which there is a tile.
const SignIn = 1

// Begin tells the provider where it is shown, and who listens.
func (h *Host) Begin(scenario int) error {
	if _, err := h.call(h.provider, setUsageScenario, uintptr(scenario), 0); err != nil {
		return err
	}
	var users *object
	if _, err := h.call(h.provider, queryInterface, uintptr(unsafe.Pointer(&iidSetUsers)), uintptr(unsafe.Pointer(&users))); err != nil {
		return fmt.Errorf("ICredentialProviderSetUserArray: %w", err)
	}
	err := h.setUsers(users)
	_, _ = h.call(users, release)
	if err != nil {
		return fmt.Errorf("SetUserArray: %w", err)
	}
	if _, err := h.call(h.provider, setSerialization, 0); !errors.Is(err, ErrNotImplemented) {
		return fmt.Errorf("SetSerialization: %w", cmp.Or(err, errors.New("it takes one")))
	}
	h.events = &events{object: object{eventsTable}, changed: h.changed}
	if _, err := h.call(h.provider, advise, uintptr(unsafe.Pointer(h.events)), eventsContext); err != nil {
		return err
	}
	return h.Look()
}

// Told gives how often the provider has said that there is something new.
func (h *Host) Told() int { return int(h.events.told.Load()) }

// Look asks for all there is to show, as LogonUI does when the provider says that
// there is something new: what was selected is selected again if the provider
// wants that.
func (h *Host) Look() error {
	h.dropCredential()
	t := Tile{}
	var logon int32
	if _, err := h.call(h.provider, getCredentialCount, uintptr(unsafe.Pointer(&t.Count)), uintptr(unsafe.Pointer(&t.Default)), uintptr(unsafe.Pointer(&logon))); err != nil {
		return err
	}
	t.Logon = logon != 0
	if t.Count > 0 {
		if err := h.takeCredential(&t); err != nil {
			return err
		}
	}
	h.Tile = t
	if t.Default == 0 {
		_, err := h.Select()
		return err
	}
	return nil
}

func (h *Host) dropCredential() {
	if h.credential == nil {
		return
	}
	if h.selected {
		_ = h.Deselect()
	}
	_, _ = h.call(h.credential, credentialUnAdvise)
	_, _ = h.call(h.credential, release)
	h.credential = nil
}

func (h *Host) takeCredential(t *Tile) error {
	var first *object
	if _, err := h.call(h.provider, getCredentialAt, 0, uintptr(unsafe.Pointer(&first))); err != nil {
		return fmt.Errorf("GetCredentialAt: %w", err)
	}
	_, err := h.call(first, queryInterface, uintptr(unsafe.Pointer(&iidCredential2)), uintptr(unsafe.Pointer(&h.credential)))
	_, _ = h.call(first, release)
	if err != nil {
		return fmt.Errorf("ICredentialProviderCredential2: %w", err)
	}
	var sid *uint16
	if hr, err := h.call(h.credential, getUserSid, uintptr(unsafe.Pointer(&sid))); err != nil || hr != 1 || sid != nil {
		return fmt.Errorf("GetUserSid: %#x, %w", hr, err)
	}
	if _, err := h.call(h.credential, credentialAdvise, 0); err != nil {
		return err
	}
	var count uint32
	if _, err := h.call(h.provider, getFieldDescriptorCount, uintptr(unsafe.Pointer(&count))); err != nil {
		return err
	}
	for id := range count {
		f, err := h.field(id)
		if err != nil {
			return fmt.Errorf("field %d: %w", id, err)
		}
		t.Fields = append(t.Fields, *f)
	}
	return nil
}

func (h *Host) field(id uint32) (*Field, error) {
	var d *descriptor
	if _, err := h.call(h.provider, getFieldDescriptorAt, uintptr(id), uintptr(unsafe.Pointer(&d))); err != nil {
		return nil, err
	}
	if d.id != id {
		return nil, fmt.Errorf("its descriptor is of %d", d.id)
	}
	f := &Field{Type: int(d.kind), Label: takeText(d.label)}
	windows.CoTaskMemFree(unsafe.Pointer(d))
	var state, focus int32
	if _, err := h.call(h.credential, getFieldState, uintptr(id), uintptr(unsafe.Pointer(&state)), uintptr(unsafe.Pointer(&focus))); err != nil {
		return nil, err
	}
	f.State, f.Focus = int(state), int(focus)
	options, err := h.options(id)
	if err != nil {
		return nil, err
	}
	f.Options = options
	if f.Type == TileImage {
		return f, nil
	}
	var text *uint16
	if _, err := h.call(h.credential, getStringValue, uintptr(id), uintptr(unsafe.Pointer(&text))); err != nil {
		return nil, err
	}
	f.Text = takeText(text)
	return f, nil
}

// options asks the credential's other interface, from which the first one is
// found again.
func (h *Host) options(id uint32) (int, error) {
	var other, back *object
	if _, err := h.call(h.credential, queryInterface, uintptr(unsafe.Pointer(&iidOptions)), uintptr(unsafe.Pointer(&other))); err != nil {
		return 0, fmt.Errorf("ICredentialProviderCredentialWithFieldOptions: %w", err)
	}
	var options int32
	_, err := h.call(other, getFieldOptions, uintptr(id), uintptr(unsafe.Pointer(&options)))
	if _, again := h.call(other, queryInterface, uintptr(unsafe.Pointer(&iidCredential2)), uintptr(unsafe.Pointer(&back))); again != nil || back != h.credential {
		err = errors.Join(err, fmt.Errorf("it leads back to another object: %w", again))
	}
	_, _ = h.call(back, release)
	_, _ = h.call(other, release)
	return int(options), err
}

func takeText(p *uint16) string {
	if p == nil {
		return ""
	}
	defer windows.CoTaskMemFree(unsafe.Pointer(p))
	return windows.UTF16PtrToString(p)
}

// ErrLate: the provider does not show what was waited for.
var ErrLate = errors.New("not within a minute")

// Wait waits until the tile is as wanted. It looks when the provider says that
// there is something new, and only then.
func (h *Host) Wait(wanted func(*Tile) bool) error {
	late := time.After(time.Minute)
	for {
		if wanted(&h.Tile) {
			return nil
		}
		select {
		case <-h.changed:
			if err := h.Look(); err != nil {
				return err
			}
		case <-late:
			return fmt.Errorf("%w: %+v", ErrLate, h.Tile.Shown())
		}
	}
}

// Shown gives the texts that a person sees.
func (t *Tile) Shown() (texts []string) {
	for _, f := range t.Fields {
		if f.State != 0 && f.Text != "" {
			texts = append(texts, f.Text)
		}
	}
	return texts
}

// Shows tells whether a person sees a text.
func (t *Tile) Shows(text string) bool {
	for _, f := range t.Fields {
		if f.State != 0 && f.Text == text {
			return true
		}
	}
	return false
}

// Inputs gives the fields a person can type into.
func (t *Tile) Inputs() (ids []uint32) {
	for id, f := range t.Fields {
		if f.State != 0 && (f.Type == EditText || f.Type == PasswordText) {
			ids = append(ids, uint32(id))
		}
	}
	return ids
}

// Select is a person who chooses the tile. It tells whether they are logged on
// at once.
func (h *Host) Select() (logon bool, err error) {
	h.selected = true
	var on int32
	_, err = h.call(h.credential, setSelected, uintptr(unsafe.Pointer(&on)))
	return on != 0, err
}

// Deselect is a person who goes elsewhere.
func (h *Host) Deselect() error {
	h.selected = false
	_, err := h.call(h.credential, setDeselected)
	return err
}

// Type is what a person types, in the order of the fields.
func (h *Host) Type(texts ...string) error {
	ids := h.Tile.Inputs()
	if len(ids) != len(texts) {
		return fmt.Errorf("%d texts for %d fields", len(texts), len(ids))
	}
	for i, text := range texts {
		p, err := windows.UTF16PtrFromString(text)
		if err != nil {
			return err
		}
		if _, err := h.call(h.credential, setStringValue, uintptr(ids[i]), uintptr(unsafe.Pointer(p))); err != nil {
			return err
		}
	}
	return nil
}

// Submit is Enter. It gives what the person is logged on with, nil if that is not
// so, and what the tile says.
func (h *Host) Submit() (*Serialization, string, error) {
	var response, icon int32
	var s serialization
	var text *uint16
	if _, err := h.call(h.credential, getSerialization, uintptr(unsafe.Pointer(&response)), uintptr(unsafe.Pointer(&s)), uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&icon))); err != nil {
		return nil, "", err
	}
	told := takeText(text)
	const notFinished, finished = 0, 2
	switch {
	case response == notFinished && s.bytes == nil:
		return nil, told, nil
	case response != finished || s.bytes == nil:
		return nil, told, fmt.Errorf("response %d with %d bytes", response, s.size)
	}
	defer windows.CoTaskMemFree(unsafe.Pointer(s.bytes))
	if _, err := h.call(h.credential, reportResult, 0, 0, uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&icon))); err != nil {
		return nil, "", err
	}
	return &Serialization{s.pkg, s.provider, append([]byte(nil), unsafe.Slice(s.bytes, s.size)...)}, told, nil
}

// Click clicks the link with that text.
func (h *Host) Click(text string) error {
	for id, f := range h.Tile.Fields {
		if f.Type == CommandLink && f.State != 0 && f.Text == text {
			_, err := h.call(h.credential, commandLinkClicked, uintptr(id))
			return err
		}
	}
	return fmt.Errorf("there is no %q in %q", text, h.Tile.Shown())
}

// Beside gives the field that the submit button stands beside.
func (h *Host) Beside() (uint32, error) {
	for id, f := range h.Tile.Fields {
		if f.Type == SubmitButton {
			var beside uint32
			_, err := h.call(h.credential, getSubmitValue, uintptr(id), uintptr(unsafe.Pointer(&beside)))
			return beside, err
		}
	}
	return 0, errors.New("there is no submit button")
}

// Picture gives the tile's picture: rows of 0xRRGGBB.
func (h *Host) Picture() ([][]uint32, error) {
	var bitmap uintptr
	if _, err := h.call(h.credential, getBitmapValue, 0, uintptr(unsafe.Pointer(&bitmap))); err != nil {
		return nil, err
	}
	defer deleteObject.Call(bitmap) //nolint:errcheck // it is of no use any more
	var b struct {                  // BITMAP
		_, width, height, stride int32
		planes, depth            uint16
		_                        uintptr
	}
	if n, _, _ := getObject.Call(bitmap, unsafe.Sizeof(b), uintptr(unsafe.Pointer(&b))); n == 0 || b.depth != 32 || b.width <= 0 || b.height <= 0 {
		return nil, fmt.Errorf("the bitmap is %+v", b)
	}
	pixels := make([]uint32, b.width*b.height)
	if n, _, _ := getBitmapBits.Call(bitmap, uintptr(4*len(pixels)), uintptr(unsafe.Pointer(&pixels[0]))); int(n) != 4*len(pixels) {
		return nil, fmt.Errorf("%d bytes of a bitmap", n)
	}
	var rows [][]uint32
	for y := range int(b.height) {
		rows = append(rows, pixels[y*int(b.width):(y+1)*int(b.width)])
	}
	return rows, nil
}

// Modules reads a QR code in the picture: rows of 1 for dark and 0 for light. It
// looks for the dark square's corners, whose first row of seven modules tells
// their size.
func Modules(picture [][]uint32) []string {
	top, left, right := -1, -1, -1
	for y, row := range picture {
		for x, p := range row {
			if p&0xffffff != 0 {
				continue
			}
			if top < 0 {
				top, left = y, x
			}
			if y == top {
				right = x
			}
		}
	}
	if top < 0 {
		return nil
	}
	finder := 0
	for picture[top][left+finder]&0xffffff == 0 {
		finder++
	}
	size := finder / 7
	if size == 0 {
		return nil
	}
	var rows []string
	count := (right - left + 1) / size
	for y := range count {
		row := make([]byte, count)
		for x := range row {
			row[x] = '0'
			if picture[top+y*size+size/2][left+x*size+size/2]&0xffffff == 0 {
				row[x] = '1'
			}
		}
		rows = append(rows, string(row))
	}
	return rows
}

// End takes the provider off the screen. It gives how many still hold it.
func (h *Host) End() (left int, err error) {
	h.dropCredential()
	if _, err := h.call(h.provider, unAdvise); err != nil {
		return 0, err
	}
	n, _ := h.call(h.provider, release)
	if h.users.refs != 1 {
		return 0, fmt.Errorf("the array of users is held %d times", h.users.refs)
	}
	runtime.KeepAlive(h.events)
	runtime.UnlockOSThread()
	return int(n), nil
}

// Drop releases a provider that was never begun.
func (h *Host) Drop() {
	_, _ = h.call(h.provider, release)
	runtime.UnlockOSThread()
}

// Unload has COM unload what nobody needs any more, until the provider's DLL is
// gone. It has a thread, which ends once it has looked at who serves the pipe: a
// busy machine takes its time for a signature.
func Unload() error {
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		_, _, _ = coFreeUnusedLibraries.Call() // gives nothing
		if _, err := module(); errors.Is(err, windows.ERROR_MOD_NOT_FOUND) {
			return nil
		}
		if time.Since(begun) > time.Minute {
			return fmt.Errorf("%s stays when nobody needs it any more", File)
		}
	}
}
