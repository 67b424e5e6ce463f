package signing

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxBERDepth bounds how deep values lie within each other.
const maxBERDepth = 32

// fromBER reads one value in BER and gives it in DER, with what follows it.
// Apple's own tools write signatures in BER: values whose length is not told,
// which end with two zeros, and strings in pieces (X.690 §8.1.3.6, §8.7.3).
// The elements of a SET stay in their order.
func fromBER(b []byte) (der, rest []byte, err error) {
	if len(b) > maxSignature {
		return nil, nil, malformed("BER: too long")
	}
	return berValue(b, 0)
}

const octetString, constructed = 0x04, 0x20

func berValue(b []byte, depth int) (der, rest []byte, err error) {
	if depth > maxBERDepth || len(b) < 2 || b[0]&0x1f == 0x1f {
		return nil, nil, malformed("BER")
	}
	tag := b[0]
	length, header, indefinite := berLength(b[1:])
	if header == 0 || indefinite && tag&constructed == 0 {
		return nil, nil, malformed("BER length")
	}
	contents := b[1+header:]
	if !indefinite {
		if length > len(contents) {
			return nil, nil, malformed("BER length")
		}
		contents, rest = contents[:length], contents[length:]
	}
	if tag&constructed == 0 {
		return derValue(tag, contents), rest, nil
	}
	var inner []byte
	for {
		if indefinite && len(contents) >= 2 && contents[0] == 0 && contents[1] == 0 {
			rest = contents[2:]
			break
		}
		if !indefinite && len(contents) == 0 {
			break
		}
		var part []byte
		if part, contents, err = berValue(contents, depth+1); err != nil {
			return nil, nil, err
		}
		if tag == octetString|constructed {
			if part, err = octets(part); err != nil {
				return nil, nil, err
			}
		}
		inner = append(inner, part...)
	}
	if tag == octetString|constructed {
		tag = octetString
	}
	return derValue(tag, inner), rest, nil
}

// berLength reads a length and tells how many bytes it takes; none if it is
// malformed.
func berLength(b []byte) (length, header int, indefinite bool) {
	first := int(b[0])
	switch count := first & 0x7f; {
	case first < 0x80:
		return first, 1, false
	case first == 0x80:
		return 0, 1, true
	case count > 4 || len(b) < 1+count:
		return 0, 0, false
	default:
		for _, c := range b[1 : 1+count] {
			length = length<<8 | int(c)
		}
		return length, 1 + count, false
	}
}

// octets takes the contents out of a piece of a string.
func octets(der []byte) ([]byte, error) {
	in := cryptobyte.String(der)
	var piece cryptobyte.String
	if !in.ReadASN1(&piece, asn1.OCTET_STRING) || !in.Empty() {
		return nil, malformed("BER string")
	}
	return piece, nil
}

func derValue(tag byte, contents []byte) []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.Tag(tag), func(b *cryptobyte.Builder) { b.AddBytes(contents) })
	})
}
