package macho

import (
	"crypto"
	"hash"
)

// pageHasher hashes what is written to it page by page.
type pageHasher struct {
	h        hash.Hash
	page     int64 // bytes; 0: all is one page
	inPage   int64
	finished [][]byte
}

func newPageHasher(algorithm crypto.Hash, shift uint8) *pageHasher {
	p := &pageHasher{h: algorithm.New()}
	if shift > 0 {
		p.page = 1 << shift
	}
	return p
}

func (p *pageHasher) Write(b []byte) (int, error) {
	written := len(b)
	for p.page > 0 && int64(len(b)) >= p.page-p.inPage {
		rest := p.page - p.inPage
		p.h.Write(b[:rest])
		p.finish()
		b = b[rest:]
	}
	p.h.Write(b)
	p.inPage += int64(len(b))
	return written, nil
}

func (p *pageHasher) finish() {
	p.finished = append(p.finished, p.h.Sum(nil))
	p.h.Reset()
	p.inPage = 0
}

// sums gives the hash of each page; the last one may be short.
func (p *pageHasher) sums() [][]byte {
	if p.inPage > 0 || p.page == 0 {
		p.finish()
	}
	return p.finished
}
