// Package testfault gives tests sticks that fail: folders, and block devices that
// the kernel makes of a file in one. What is done with them passes through a file
// system of the test's own.
package testfault

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"firstday.dev/internal/testloop"
)

// What is done with a file.
const (
	Open   = "open"
	Read   = "read"
	Write  = "write"
	Sync   = "sync"
	Create = "create" // a file or folder
	Rename = "rename"
	Remove = "remove"
)

// Op is one thing that is done.
type Op struct {
	What   string
	Path   string // from the folder on
	Offset int64  // bytes
	Length int
}

// Changes says whether it changes what is there.
func (o Op) Changes() bool { return o.What != Open && o.What != Read }

// Faults say what goes wrong. They are asked from several goroutines.
type Faults struct {
	// Before may let an operation fail, or wait.
	Before func(Op) syscall.Errno
	// After may change what was read.
	After func(op Op, data []byte)
	// Real is the size of a file that says it is larger, in bytes: what is written
	// beyond is lost, or goes to its begin. 0: it is as large as it says.
	Real  int64
	Wraps bool
	// Free is how many bytes the folder has free; 0: as many as there are.
	Free int64
}

// Folder gives a folder with what is in another one, and faults.
func Folder(t testing.TB, behind string, f *Faults) (folder string) {
	t.Helper()
	root := &fs.LoopbackRoot{Path: behind}
	first := &node{LoopbackNode: fs.LoopbackNode{RootData: root}, faults: f}
	root.RootNode = first
	folder = t.TempDir()
	server, err := fs.Mount(folder, first, &fs.Options{MountOptions: fuse.MountOptions{FsName: "faults", Name: "faults", DirectMountStrict: true}})
	switch {
	case err == nil:
	case os.Geteuid() != 0:
		t.Skip("only root can mount file systems")
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENODEV):
		t.Skip("this kernel has no FUSE")
	case errors.Is(err, os.ErrPermission) && os.Getenv("CI") != "true": // a container
		t.Skip("nobody can have FUSE here")
	default:
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount(t, server) })
	return folder
}

// unmount waits for who has files open: one that was given up may still be at it.
func unmount(t testing.TB, server *fuse.Server) {
	const tries, pause = 200, 50 * time.Millisecond
	var err error
	for range tries {
		if err = server.Unmount(); err == nil {
			return
		}
		time.Sleep(pause)
	}
	t.Errorf("unmounting: %v", err)
}

// Disk gives a block device of so many bytes, with faults, and the file that holds
// what is on it. The operations are of the file, whose path is "disk".
func Disk(t testing.TB, size int64, f *Faults) (device, image string) {
	t.Helper()
	behind := t.TempDir()
	image = filepath.Join(behind, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		t.Fatal(err)
	}
	return testloop.Attach(t, filepath.Join(Folder(t, behind, f), "disk")), image
}

// node is a file or folder.
type node struct {
	fs.LoopbackNode
	faults *Faults
}

// WrapChild makes all files and folders nodes of ours.
func (n *node) WrapChild(context.Context, fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: fs.LoopbackNode{RootData: n.RootData}, faults: n.faults}
}

func (n *node) path(name string) string { return filepath.Join(n.Path(n.Root()), name) }

func (f *Faults) before(op Op) syscall.Errno {
	if f.Before == nil {
		return 0
	}
	return f.Before(op)
}

func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.faults.before(Op{What: Open, Path: n.path("")}); errno != 0 {
		return nil, 0, errno
	}
	// The kernel asks for what is past the cache, and keeps nothing of it: every read
	// arrives here.
	f, err := os.OpenFile(filepath.Join(n.RootData.Path, n.path("")), int(flags)&(syscall.O_ACCMODE|syscall.O_TRUNC), 0)
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	return &handle{file: f, node: n}, fuse.FOPEN_DIRECT_IO, 0
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.faults.before(Op{What: Create, Path: n.path(name)}); errno != 0 {
		return nil, nil, 0, errno
	}
	inode, made, _, errno := n.LoopbackNode.Create(ctx, name, flags&^syscall.O_DIRECT, mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	if errno := made.(fs.FileReleaser).Release(ctx); errno != 0 {
		return nil, nil, 0, errno
	}
	f, err := os.OpenFile(filepath.Join(n.RootData.Path, n.path(name)), os.O_RDWR, 0)
	if err != nil {
		return nil, nil, 0, fs.ToErrno(err)
	}
	return inode, &handle{file: f, node: inode.Operations().(*node)}, fuse.FOPEN_DIRECT_IO, 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.faults.before(Op{What: Create, Path: n.path(name)}); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if errno := n.faults.before(Op{What: Rename, Path: n.path(name)}); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Rename(ctx, name, parent, newName, flags)
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if errno := n.faults.before(Op{What: Remove, Path: n.path(name)}); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if errno := n.faults.before(Op{What: Remove, Path: n.path(name)}); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Rmdir(ctx, name)
}

// Fsync is of folders; files have their own.
func (n *node) Fsync(_ context.Context, f fs.FileHandle, _ uint32) syscall.Errno {
	op := Op{What: Sync, Path: n.path("")}
	if h, ok := f.(*handle); ok {
		if errno := n.faults.before(op); errno != 0 {
			return errno
		}
		return fs.ToErrno(h.file.Sync())
	}
	return n.faults.before(op)
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	errno := n.LoopbackNode.Statfs(ctx, out)
	if n.faults.Free > 0 {
		out.Bavail = uint64(n.faults.Free) / uint64(out.Bsize)
		out.Bfree = out.Bavail
	}
	return errno
}

// handle is a file that is open.
type handle struct {
	*node
	file *os.File
}

// real is where an offset is in the file, if anywhere, and how many bytes from
// there on are together.
func (f *Faults) real(at int64, n int) (int64, int, bool) {
	switch {
	case f.Real == 0:
		return at, n, true
	case at < f.Real:
		return at, int(min(int64(n), f.Real-at)), true
	case f.Wraps:
		at %= f.Real
		return at, int(min(int64(n), f.Real-at)), true
	}
	return 0, n, false
}

func (h *handle) Read(_ context.Context, p []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	op := Op{Read, h.path(""), at, len(p)}
	if errno := h.faults.before(op); errno != 0 {
		return nil, errno
	}
	total := 0
	for total < len(p) {
		from, n, there := h.faults.real(at+int64(total), len(p)-total)
		if !there {
			clear(p[total : total+n])
			total += n
			continue
		}
		k, err := h.file.ReadAt(p[total:total+n], from)
		if total += k; k < n { // it ends there
			if err != nil && total == 0 && !errors.Is(err, io.EOF) {
				return nil, fs.ToErrno(err)
			}
			break
		}
	}
	if h.faults.After != nil {
		h.faults.After(op, p[:total])
	}
	return fuse.ReadResultData(p[:total]), 0
}

func (h *handle) Write(_ context.Context, p []byte, at int64) (uint32, syscall.Errno) {
	if errno := h.faults.before(Op{Write, h.path(""), at, len(p)}); errno != 0 {
		return 0, errno
	}
	for total := 0; total < len(p); {
		to, n, there := h.faults.real(at+int64(total), len(p)-total)
		if there {
			if _, err := h.file.WriteAt(p[total:total+n], to); err != nil {
				return uint32(total), fs.ToErrno(err)
			}
		}
		total += n
	}
	return uint32(len(p)), 0
}

func (h *handle) Flush(context.Context) syscall.Errno { return 0 }

func (h *handle) Release(context.Context) syscall.Errno { return fs.ToErrno(h.file.Close()) }

var (
	_ fs.FileReader   = (*handle)(nil)
	_ fs.FileWriter   = (*handle)(nil)
	_ fs.FileFlusher  = (*handle)(nil)
	_ fs.FileReleaser = (*handle)(nil)
	_ fs.NodeFsyncer  = (*node)(nil)
	_ fs.NodeStatfser = (*node)(nil)
	_ fs.NodeMkdirer  = (*node)(nil)
	_ fs.NodeRenamer  = (*node)(nil)
	_ fs.NodeUnlinker = (*node)(nil)
	_ fs.NodeRmdirer  = (*node)(nil)
	_ fs.NodeOpener   = (*node)(nil)
	_ fs.NodeCreater  = (*node)(nil)

	_ fs.NodeWrapChilder = (*node)(nil)
)
