package cpio

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Writer writes an archive: for each file its header, then its contents.
type Writer struct {
	w      io.Writer
	left   int64 // bytes of contents still to come
	inode  uint32
	buf    []byte
	closed bool
	err    error // the first one; nothing works after it
}

// NewWriter returns a writer of an archive to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// WriteHeader begins an entry. Without an Inode it gets one of its own; with
// no Links it has one. Names are written as they are.
func (w *Writer) WriteHeader(h *Header) error {
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return errors.New("cpio: header after the end of the archive")
	case w.left > 0:
		return w.fail(fmt.Errorf("cpio: %d bytes of contents are missing", w.left))
	case h.Name == "" || len(h.Name) >= maxName || h.Name == trailer || strings.ContainsRune(h.Name, 0):
		return fmt.Errorf("%w: %.200q", ErrName, h.Name)
	}
	return w.writeHeader(*h)
}

func (w *Writer) writeHeader(h Header) error {
	if h.Inode == 0 && h.Name != trailer {
		h.Inode = w.nextInode()
	}
	h.Links = max(h.Links, 1)
	b, err := h.appendTo(w.buf[:0])
	if err != nil {
		return err
	}
	w.buf, w.left = b, h.Size
	if _, err := w.w.Write(b); err != nil {
		return w.fail(err)
	}
	return nil
}

// nextInode counts from 1, again and again where there are more files than
// numbers: what has one link is nobody's hard link, whatever its number.
func (w *Writer) nextInode() uint32 {
	w.inode = w.inode%max6 + 1
	return w.inode
}

// Write writes contents of the current entry.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if int64(len(p)) > w.left {
		return 0, w.fail(fmt.Errorf("%w: contents longer than their header says", ErrTooLarge))
	}
	n, err := w.w.Write(p)
	w.left -= int64(n)
	if err != nil {
		return n, w.fail(err)
	}
	return n, nil
}

// Close ends the archive. It does not close what it is written to.
func (w *Writer) Close() error {
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return nil
	case w.left > 0:
		return w.fail(fmt.Errorf("cpio: %d bytes of contents are missing", w.left))
	}
	w.closed = true
	return w.writeHeader(Header{Name: trailer})
}

func (w *Writer) fail(err error) error {
	w.err = err
	return err
}
