package xar

import "encoding/binary"

// The trailer that stapling appends: a terminator, the ticket, and at the very
// end what tells its length (formats/macos-pkg.md §3.3).
const (
	trailerMagic   = "t8lr"
	trailerSize    = 16
	trailerVersion = 1
	typeTerminator = 1
	typeTicket     = 2
	maxTicket      = 1 << 20
)

// AppendTrailer appends the trailer for a ticket to b.
func AppendTrailer(b, ticket []byte) []byte {
	b = appendTrailer(b, typeTerminator, 0)
	b = append(b, ticket...)
	return appendTrailer(b, typeTicket, uint32(len(ticket)))
}

func appendTrailer(b []byte, kind uint16, length uint32) []byte {
	b = append(b, trailerMagic...)
	b = binary.LittleEndian.AppendUint16(b, trailerVersion)
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint32(b, length)
	return binary.LittleEndian.AppendUint32(b, 0)
}

// Unstapled is the size in bytes of the archive without a trailer.
func (a *Archive) Unstapled() int64 {
	if a.Ticket == nil {
		return a.size
	}
	return a.size - int64(len(a.Ticket)) - 2*trailerSize
}

// readTrailer reads what follows the heap: a ticket, or something that should
// not be there.
func (a *Archive) readTrailer(at int64) error {
	length := a.size - at
	if length == 0 {
		return nil
	}
	if length < 2*trailerSize || length > maxTicket {
		a.odd("%d bytes behind the last file belong to nothing", length)
		return nil
	}
	b := make([]byte, length)
	if _, err := a.r.ReadAt(b, at); err != nil {
		return short(err)
	}
	ticket := b[trailerSize : length-trailerSize]
	if string(AppendTrailer(nil, ticket)) != string(b) {
		a.odd("%d bytes behind the last file are no ticket", length)
		return nil
	}
	a.Ticket = ticket
	return nil
}
