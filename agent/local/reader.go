package local

import (
	"net"
	"time"
)

// Block is what the service sends, for a surface that passes it on to somebody who
// draws it.
type Block struct {
	Words []string    // the first one is its kind
	Pairs [][2]string // keys and values, in the order in which they came
	// Anchors are the certificates of a screen, each in DER; their pairs are there, too.
	Anchors [][]byte
	Logon   []byte // what "ok logon" holds, in place of its pairs; who has it wipes it
}

// Word gives a word of the first line, empty if there are fewer.
func (b *Block) Word(i int) string {
	if i >= len(b.Words) {
		return ""
	}
	return b.Words[i]
}

// Value gives the value of a key, empty if it has none.
func (b *Block) Value(key string) string {
	for _, p := range b.Pairs {
		if p[0] == key && p[1] != "" {
			return p[1]
		}
	}
	return ""
}

// Reader reads blocks from a connection to the service.
type Reader struct {
	conn  net.Conn
	lines lines
	begun bool // a block has
}

// blockTime is how long a block may take from its first byte to its last.
const blockTime = 5 * time.Second

// NewReader gives a reader, which is the only one of the connection.
func NewReader(conn net.Conn) *Reader {
	r := &Reader{conn: conn}
	r.lines.r = timed{r}
	return r
}

// Next waits for the next block. It gives [ErrProtocol] for what is none, io.EOF if
// the service has hung up between two, and os.ErrDeadlineExceeded when one does not
// go on.
func (r *Reader) Next() (*Block, error) {
	late := time.Time{}
	if r.begun = r.lines.to > r.lines.from; r.begun {
		late = time.Now().Add(blockTime)
	}
	if err := r.conn.SetReadDeadline(late); err != nil {
		return nil, err
	}
	b, err := readBlock(&r.lines)
	if err != nil {
		return nil, err
	}
	out := &Block{Words: b.words}
	switch {
	case b.words[0] == kindScreen:
		var s *Screen
		if s, err = readScreen(b, time.Time{}); err == nil {
			out.Anchors = s.Anchors
		}
	case b.words[0] == kindOK && b.word(1) == verbLogon:
		out.Logon, err = readLogon(b)
		return out, err
	}
	for _, p := range b.pairs {
		out.Pairs = append(out.Pairs, [2]string{p.key, p.value})
	}
	return out, err
}

// Wipe forgets what was read.
func (r *Reader) Wipe() { r.lines.wipe() }

// timed is the connection, with a deadline from the first byte of a block on.
type timed struct{ *Reader }

func (t timed) Read(p []byte) (int, error) {
	n, err := t.conn.Read(p)
	if n > 0 && !t.begun {
		t.begun = true
		err = t.conn.SetReadDeadline(time.Now().Add(blockTime))
	}
	return n, err
}

// Unescape reads a value in its place, as lines of the protocol hold it.
func Unescape(value []byte) ([]byte, bool) {
	out, err := unescape(value)
	return out, err == nil
}
