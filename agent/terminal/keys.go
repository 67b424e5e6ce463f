package terminal

import (
	"io"
	"unicode/utf8"
)

// Keys reads what is typed, and closes the channel at the end. Sequences of
// other keys, arrows for instance, are left out.
func Keys(in io.Reader) <-chan rune {
	keys := make(chan rune)
	go func() {
		defer close(keys)
		var k decoder
		buf := make([]byte, 64)
		defer clear(buf)
		for {
			n, err := in.Read(buf)
			for _, b := range buf[:n] {
				if r, ok := k.take(b); ok {
					keys <- r
				}
			}
			clear(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return keys
}

// decoder makes keys of bytes.
type decoder struct {
	letter   []byte // the beginning of one
	sequence int    // inside one: after Escape, or after Escape and [ or O
}

const (
	noSequence = iota
	escaped
	introduced
)

const escape = 0x1b

// take takes a byte, and tells whether a key is complete.
func (d *decoder) take(b byte) (rune, bool) {
	switch {
	case b == escape:
		d.sequence, d.letter = escaped, nil
		return 0, false
	case d.sequence == escaped && (b == '[' || b == 'O'):
		d.sequence = introduced
		return 0, false
	case d.sequence == escaped:
		d.sequence = noSequence
		return 0, false
	case d.sequence == introduced:
		if b >= 0x40 && b <= 0x7e {
			d.sequence = noSequence
		}
		return 0, false
	}
	d.letter = append(d.letter, b)
	if !utf8.FullRune(d.letter) {
		return 0, false
	}
	r, size := utf8.DecodeRune(d.letter)
	clear(d.letter)
	d.letter = d.letter[:0]
	return r, r != utf8.RuneError || size > 1
}
