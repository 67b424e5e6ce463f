package station

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"firstday.dev/internal/testfault"
	"firstday.dev/internal/testloop"
	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// desk is a hub at which the test plugs sticks in and takes them out.
type desk struct {
	mu      sync.Mutex
	disks   []media.Disk
	ejected []string
	empties bool // what is ejected stays, and says that nothing is in it
	blind   int  // so many lists fail
	looks   int
}

// waitLooks waits until somebody has looked so many times more.
func (d *desk) waitLooks(n int) {
	looks := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.looks
	}
	for until := looks() + n; looks() < until; {
		time.Sleep(time.Millisecond)
	}
}

func (d *desk) list(context.Context) ([]media.Disk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	if d.blind != 0 {
		d.blind--
		return nil, errors.New("no disks to be seen")
	}
	return append([]media.Disk(nil), d.disks...), nil
}

func (d *desk) eject(_ context.Context, disk *media.Disk) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ejected = append(d.ejected, disk.Name)
	for i := range d.disks {
		if d.empties && d.disks[i].Name == disk.Name {
			d.disks[i].Size, d.disks[i].Volumes, d.disks[i].Refusal = 0, nil, "there is nothing in it"
		}
	}
	return nil
}

// plug puts a stick with a volume into a socket.
func (d *desk) plug(port, name, folder string) {
	d.plugDisk(media.Disk{Name: name, Path: folder, Port: port, Size: 16e9, Volumes: []media.Volume{{FileSystem: "vfat", Mounts: []string{folder}}}})
}

func (d *desk) plugDisk(disk media.Disk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.disks = append(d.disks, disk)
}

func (d *desk) pull(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, disk := range d.disks {
		if disk.Name == name {
			d.disks = append(d.disks[:i:i], d.disks[i+1:]...)
			return
		}
	}
}

// stickFolder is a folder on a file system of its own, as a stick's is.
func stickFolder(t *testing.T) string {
	t.Helper()
	return testfault.Folder(t, t.TempDir(), new(testfault.Faults))
}

// watching is a watch that runs beside the test.
type watching struct {
	t     *testing.T
	desk  *desk
	told  chan Socket
	stop  context.CancelFunc
	ended chan struct{}
	run   *Run
	err   error
}

func startWatch(t *testing.T, s *Stick, d *desk, change func(*WatchOptions)) *watching {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &watching{t: t, desk: d, told: make(chan Socket, 10000), stop: stop, ended: make(chan struct{})}
	o := WatchOptions{hub: d, interval: time.Millisecond, Tell: func(s Socket) { w.told <- s }}
	o.now = onKitDay
	if change != nil {
		change(&o)
	}
	go func() {
		defer close(w.ended)
		w.run, w.err = s.Watch(ctx, o)
	}()
	t.Cleanup(func() { stop(); <-w.ended })
	return w
}

// until waits for a socket to be in a state.
func (w *watching) until(port string, state SocketState) Socket {
	w.t.Helper()
	for {
		select {
		case s := <-w.told:
			if s.Port == port && s.State == state {
				return s
			}
			if s.State == SocketFailed {
				w.t.Fatalf("%+v", s)
			}
		case <-w.ended:
			w.t.Fatalf("it ended before %s was %s: %v", port, state, w.err)
		case <-time.After(time.Minute):
			w.t.Fatalf("%s never was %s", port, state)
		}
	}
}

func (w *watching) end() *Run {
	w.stop()
	<-w.ended
	return w.run
}

// A morning at the station: two sockets, three sticks, one of them twice in a
// socket that another one was in, and the machine's own disk.
func TestWatch(t *testing.T) {
	s, d := open(t, buildKit(t, kit.Windows)), new(desk)
	d.plugDisk(media.Disk{Name: "nvme0n1", Path: "/dev/nvme0n1", Port: "nvme0n1", Refusal: "the system is on it"})
	early := stickFolder(t)
	d.plug("1-1", "early", early)
	var kept []int
	w := startWatch(t, s, d, func(o *WatchOptions) {
		o.Keep = func(r *Run) error { kept = append(kept, r.Good()); return nil }
	})
	if was := w.until("1-1", SocketRefused); !strings.Contains(was.Message, "before the station began") {
		t.Errorf("%+v", was)
	}
	first, second := stickFolder(t), stickFolder(t)
	d.pull("early")
	w.until("1-1", SocketEmpty)
	d.plug("1-1", "a", first)
	w.until("1-1", SocketGood)
	d.pull("a")
	w.until("1-1", SocketEmpty)
	d.plug("1-1", "b", second)
	w.until("1-1", SocketGood)
	// Exchanged faster than anybody looks.
	d.mu.Lock()
	d.disks[len(d.disks)-1].Path, d.disks[len(d.disks)-1].Refusal = "/dev/T7", "it is a disk in a box"
	d.mu.Unlock()
	if was := w.until("1-1", SocketRefused); was.Message != "it is a disk in a box" {
		t.Errorf("%+v", was)
	}
	run := w.end()
	if w.err != nil || run.Good() != 2 || len(run.Sticks) != 2 || run.Interrupted {
		t.Errorf("%v, %+v", w.err, run)
	}
	for _, dir := range []string{first, second} {
		if err := holds(s, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
	}
	if left := names(t, early); len(left) > 0 {
		t.Errorf("written to a stick that was there before: %q", left)
	}
	if strings.Join(d.ejected, " ") != "a b" {
		t.Errorf("ejected %q", d.ejected)
	}
	if fmt.Sprint(kept) != "[0 1 2 2]" {
		t.Errorf("kept %v", kept)
	}
}

// A hub that loses a stick which was in before, and finds it again, in this socket or
// another, has nobody's files overwritten. Who takes it out has the time.
func TestWatchOfAHubThatLosesSticks(t *testing.T) {
	s, d, early := open(t, buildKit(t, kit.Windows)), new(desk), stickFolder(t)
	stick := media.Disk{Name: "sdb", Path: early, Port: "1-1", Serial: "A", Sequence: 1, Size: 16e9, Volumes: []media.Volume{{FileSystem: "vfat", Mounts: []string{early}}}}
	d.plugDisk(stick)
	w := startWatch(t, s, d, nil)
	w.until("1-1", SocketRefused)
	move := func(port string) {
		stick.Port = port
		stick.Sequence++
		d.mu.Lock()
		d.disks = []media.Disk{stick}
		d.mu.Unlock()
		if was := w.until(port, SocketRefused); !strings.Contains(was.Message, "gone for a moment") {
			t.Errorf("%+v", was)
		}
	}
	move("1-1") // faster than anybody looks
	move("2-1")
	move("1-1")
	// Another of its kind is not it, though all have one serial number.
	twin := stickFolder(t)
	d.plugDisk(media.Disk{Name: "sdc", Path: twin, Port: "1-2", Serial: "A", Size: 16e9, Volumes: []media.Volume{{FileSystem: "vfat", Mounts: []string{twin}}}})
	w.until("1-2", SocketGood)
	if left := names(t, early); len(left) > 0 {
		t.Errorf("written to a stick that was there before: %q", left)
	}
	d.pull("sdb")
	w.until("1-1", SocketEmpty)
	d.waitLooks(moment + 2)
	d.plugDisk(stick)
	w.until("1-1", SocketGood)
}

// Who puts a stick in twice has one stick; one of the same kind is another.
func TestWatchCountsAStickOnce(t *testing.T) {
	s, d := open(t, buildKit(t, kit.Windows)), new(desk)
	w := startWatch(t, s, d, nil)
	d.waitLooks(1)
	plug := func(name, serial, folder string) Socket {
		d.plugDisk(media.Disk{Name: name, Path: folder, Port: "1-1", Serial: serial, Size: 16e9, Volumes: []media.Volume{{FileSystem: "vfat", Mounts: []string{folder}}}})
		was := w.until("1-1", SocketGood)
		d.pull(name)
		w.until("1-1", SocketEmpty)
		return was
	}
	first, second := stickFolder(t), stickFolder(t)
	for _, c := range []struct {
		serial, folder string
		again          bool
	}{{"A", first, false}, {"B", second, false}, {"A", first, true}, {"A", stickFolder(t), false}, {"", first, false}} {
		if was := plug("a", c.serial, c.folder); was.Again != c.again || (was.Hint != "") != c.again {
			t.Errorf("%+v: %+v", c, was)
		}
	}
	if run := w.end(); run.Good() != 4 || len(run.Sticks) != 4 || len(d.ejected) != 5 {
		t.Errorf("%+v, ejected %v", run, d.ejected)
	}
}

// A stick that is ejected and still in its socket says that nothing is in it, as a
// reader does without a card: it is good until it is taken out, and a reader is an
// empty socket.
func TestWatchOfWhatWasEjected(t *testing.T) {
	s, d := open(t, buildKit(t, kit.Windows)), &desk{empties: true}
	reader := media.Disk{Name: "mmc", Path: "/dev/mmc", Port: "1-9", Refusal: "there is nothing in it"}
	w := startWatch(t, s, d, nil)
	d.waitLooks(1)
	folder := stickFolder(t)
	d.plug("1-1", "a", folder)
	w.until("1-1", SocketGood)
	d.plugDisk(reader)
	d.plug("1-2", "b", stickFolder(t)) // by then 1-1 was looked at again
	for was := range w.told {
		if was.Port == "1-1" || was.Port == "1-9" {
			t.Fatalf("%+v", was)
		}
		if was.State == SocketGood {
			break
		}
	}
	d.pull("a")
	w.until("1-1", SocketEmpty)
	if run := w.end(); run.Good() != 2 || w.err != nil {
		t.Errorf("%+v, %v", run, w.err)
	}
}

// Sticks that were there are taken if they shall be; eight at once, of which one is
// no good.
func TestWatchOfAFullHub(t *testing.T) {
	s, d := open(t, buildKit(t, kit.Windows)), new(desk)
	dirs := make(map[string]string)
	for _, name := range strings.Split("abcdefgh", "") {
		dirs[name] = stickFolder(t)
		d.plug("1-"+name, name, dirs[name])
	}
	if err := os.WriteFile(filepath.Join(dirs["c"], "Other.ppkg"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d.disks[3].Volumes = nil
	w := startWatch(t, s, d, func(o *WatchOptions) { o.Present = true })
	states := make(map[string]Socket)
	for len(states) < len(dirs) {
		select {
		case was := <-w.told:
			if was.State == SocketGood || was.State == SocketFailed {
				states[was.Disk.Name] = was
			}
		case <-time.After(time.Minute):
			t.Fatalf("%+v", states)
		}
	}
	run := w.end()
	if run.Good() != 6 || len(run.Sticks) != 8 || w.err != nil {
		t.Errorf("%d good of %d: %v", run.Good(), len(run.Sticks), w.err)
	}
	for name, dir := range dirs {
		bad := name == "c" || name == "d"
		if was := states[name]; (was.State == SocketFailed) != bad || bad && (was.Message == "" || was.Hint == "") {
			t.Errorf("%s: %+v", name, was)
		}
		if err := holds(s, os.DirFS(dir)); (err != nil) != bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who stops the station in the middle leaves sticks that say so.
func TestWatchStopped(t *testing.T) {
	s, d := open(t, buildKit(t, kit.Windows)), new(desk)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	behind := t.TempDir()
	folder := testfault.Folder(t, behind, &testfault.Faults{Before: func(op testfault.Op) syscall.Errno {
		if op.What == testfault.Write && op.Length > 64<<10 {
			once.Do(func() { close(begun) })
			<-goOn
		}
		return 0
	}})
	d.plug("1-1", "a", folder)
	w := startWatch(t, s, d, func(o *WatchOptions) { o.Present = true })
	<-begun
	w.stop()
	close(goOn)
	run := w.end()
	if w.err != nil || len(run.Sticks) != 1 || run.Sticks[0].Outcome != Incomplete || !run.Interrupted {
		t.Fatalf("%v, %+v", w.err, run)
	}
	if _, err := os.Stat(filepath.Join(behind, fat32.IncompleteFile)); err != nil {
		t.Error(err)
	}
}

func TestWatchEnds(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	t.Run("blind for a moment", func(t *testing.T) {
		d := &desk{blind: blind - 1}
		w := startWatch(t, s, d, func(o *WatchOptions) { o.Present = true })
		d.plug("1-1", "a", stickFolder(t))
		w.until("1-1", SocketGood)
	})
	t.Run("blind at first", func(t *testing.T) {
		d, early := &desk{blind: 1}, stickFolder(t)
		d.plug("1-1", "early", early)
		w := startWatch(t, s, d, nil)
		if was := w.until("1-1", SocketRefused); !strings.Contains(was.Message, "before the station began") {
			t.Errorf("%+v", was)
		}
		if run := w.end(); len(run.Sticks) > 0 || len(names(t, early)) > 0 {
			t.Errorf("written to a stick that was there before: %+v", run)
		}
	})
	t.Run("blind", func(t *testing.T) {
		w := startWatch(t, s, &desk{blind: -1}, nil)
		if <-w.ended; w.err == nil || !strings.Contains(w.err.Error(), "no disks to be seen") {
			t.Error(w.err)
		}
	})
	t.Run("nowhere to keep the report", func(t *testing.T) {
		d, full := new(desk), errors.New("no room")
		w := startWatch(t, s, d, func(o *WatchOptions) {
			o.Present = true
			o.Keep = func(r *Run) error {
				if len(r.Sticks) > 0 {
					return full
				}
				return nil
			}
		})
		d.plug("1-1", "a", stickFolder(t))
		if <-w.ended; !errors.Is(w.err, full) {
			t.Error(w.err)
		}
	})
	t.Run("a kit that enrols nobody", func(t *testing.T) {
		w := startWatch(t, s, new(desk), func(o *WatchOptions) {
			o.now = func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }
		})
		if <-w.ended; !errors.Is(w.err, ErrPreflight) {
			t.Error(w.err)
		}
	})
}

// Blank disks that the kernel has become sticks, two at once.
func TestWatchFormats(t *testing.T) {
	s, d := open(t, buildKit(t, kit.Windows)), new(desk)
	images := make(map[string]string)
	for _, name := range []string{"a", "b"} {
		images[name] = filepath.Join(t.TempDir(), "stick")
		if err := os.WriteFile(images[name], nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(images[name], 256<<20); err != nil {
			t.Fatal(err)
		}
		d.plugDisk(media.Disk{Name: name, Path: testloop.Attach(t, images[name]), Port: "1-" + name, Size: 256 << 20, SectorSize: 512})
	}
	w := startWatch(t, s, d, func(o *WatchOptions) { o.Format, o.Present = true, true })
	for range images {
		for was := range w.told {
			if was.State == SocketFailed {
				t.Fatalf("%+v", was)
			}
			if was.State == SocketGood {
				break
			}
		}
	}
	if run := w.end(); run.Good() != 2 || !run.Sticks[0].Formatted || w.err != nil {
		t.Errorf("%+v, %v", run, w.err)
	}
	for _, image := range images {
		f, err := os.Open(image)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		volume, err := fat32.Open(f, 256<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := holds(s, volume); err != nil {
			t.Error(err)
		}
	}
}
