package local

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// block is what the service sends: a line of words, the first of which is the
// kind, then pairs, then an empty line.
type block struct {
	words []string
	pairs []pair
}

type pair struct{ key, value string }

// The kinds of blocks.
const (
	kindHello  = "hello"
	kindScreen = "screen"
	kindOK     = "ok"
	kindError  = "error"
)

// newBlock begins a block.
func newBlock(words ...string) *block { return &block{words: words} }

// add adds a pair, unless its value is empty.
func (b *block) add(key, value string) {
	if value != "" {
		b.pairs = append(b.pairs, pair{key, value})
	}
}

// addAddress is add for what is of no use in part: it is left out where it does
// not fit into a line.
func (b *block) addAddress(key, value string) {
	if len(key)+len("=\n")+len(escape(value)) <= MaxLine {
		b.add(key, value)
	}
}

// bytes gives the block as it is sent. Texts that do not fit into a line end
// early.
func (b *block) bytes() []byte {
	var out bytes.Buffer
	out.WriteString(strings.Join(b.words, " ") + "\n")
	for _, p := range b.pairs {
		out.WriteString(p.key + "=" + fit(p.value, MaxLine-len(p.key)-len("=\n")) + "\n")
	}
	out.WriteByte('\n')
	return out.Bytes()
}

const ellipsis = "…"

// fit gives a value as lines hold it, in so many bytes.
func fit(value string, room int) string {
	text := escape(value)
	short := strings.ToValidUTF8(value[:min(len(value), room)], "")
	for len(text) > room {
		_, size := utf8.DecodeLastRuneInString(short)
		short = short[:len(short)-size]
		text = escape(short) + ellipsis
	}
	return text
}

// readBlock reads a block. The error is io.EOF only where one could have begun.
func readBlock(l *lines) (*block, error) {
	line, err := l.next()
	if err != nil {
		return nil, err
	}
	b := new(block)
	size := len(line) + 1
	if b.words, err = readWords(line); err != nil {
		return nil, err
	}
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if size += len(line) + 1; size > MaxBlock {
			return nil, malformed("a block of more than %d bytes", MaxBlock)
		}
		if len(line) == 0 {
			return b, nil
		}
		p, err := readPair(line)
		if err != nil {
			return nil, err
		}
		if single[p.key] && b.value(p.key) != "" {
			return nil, malformed("the key %s twice", p.key)
		}
		b.pairs = append(b.pairs, p)
	}
}

// single are the keys that a block has once. Of those of later versions nothing
// is known.
var single = map[string]bool{
	"agent": true, "state": true, "online": true, "why": true, "code": true, "title": true, "message": true, "text": true, "help": true,
	"usercode": true, "uri": true, "qrtext": true, "page": true, "left": true, "account": true, "logon": true, "device.name": true, "device.serial": true,
	"device.model": true, "device.os": true, "device.organisation": true, "device.managed": true, "device.heard": true,
}

// word gives a word of the first line, empty if there are fewer.
func (b *block) word(i int) string {
	if i >= len(b.words) {
		return ""
	}
	return b.words[i]
}

// value gives the value of a key, empty if it has none.
func (b *block) value(key string) string {
	for _, p := range b.pairs {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// readWords reads words with single spaces between them.
func readWords(line []byte) ([]string, error) {
	words := strings.Split(string(line), " ")
	for _, w := range words {
		if !isWord(w) {
			return nil, malformed("a word that is none")
		}
	}
	return words, nil
}

func readPair(line []byte) (pair, error) {
	key, value, ok := bytes.Cut(line, []byte("="))
	if !ok || !isWord(string(key)) {
		return pair{}, malformed("a line without a key")
	}
	value, err := unescape(value)
	return pair{string(key), string(value)}, err
}
