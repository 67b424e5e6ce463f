package local

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// lines reads lines of at most MaxLine bytes, and wipes what it has read.
type lines struct {
	r        io.Reader
	buf      [MaxLine]byte
	from, to int // what is not read yet
}

// next gives a line without its end. It holds until the next call, which wipes
// it. The error is io.EOF only where a line could have begun.
func (l *lines) next() ([]byte, error) {
	clear(l.buf[:l.from])
	for {
		if i := bytes.IndexByte(l.buf[l.from:l.to], '\n'); i >= 0 {
			line := l.buf[l.from : l.from+i]
			l.from += i + 1
			return line, checkLine(line)
		}
		if l.from > 0 {
			l.to = copy(l.buf[:], l.buf[l.from:l.to])
			l.from = 0
			clear(l.buf[l.to:])
		}
		if l.to == len(l.buf) {
			return nil, malformed("a line of more than %d bytes", MaxLine)
		}
		n, err := l.r.Read(l.buf[l.to:])
		l.to += n
		switch {
		case n > 0: // the error comes again
		case err == io.EOF && l.to > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
	}
}

// wipe forgets everything.
func (l *lines) wipe() {
	clear(l.buf[:])
	l.from, l.to = 0, 0
}

func checkLine(line []byte) error {
	for _, c := range line {
		if c < ' ' || c == 0x7f {
			return malformed("a control character %#x", c)
		}
	}
	if !utf8.Valid(line) {
		return malformed("a line that is not UTF-8")
	}
	return nil
}
