package macho

import (
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// printer turns a compiled requirement into text.
type printer struct {
	rest    []byte
	damaged bool
	unknown uint32 // the first operation it does not know
}

// How tightly an operator binds: what binds less is put into parentheses.
const (
	lowest = iota
	binaryOr
	binaryAnd
	unary
)

// maxDepth bounds the nesting of expressions.
const maxDepth = 100

func (p *printer) number() uint32 {
	if len(p.rest) < 4 {
		p.damaged = true
		return 0
	}
	v := binary.BigEndian.Uint32(p.rest)
	p.rest = p.rest[4:]
	return v
}

func (p *printer) data() []byte {
	length := int64(p.number())
	padded := (length + 3) &^ 3
	if padded > int64(len(p.rest)) {
		p.damaged, p.rest = true, nil
		return nil
	}
	b := p.rest[:length]
	p.rest = p.rest[padded:]
	return b
}

func (p *printer) expression(depth, binding int) string {
	if depth > maxDepth {
		p.damaged = true
	}
	if p.damaged || p.unknown != 0 {
		return ""
	}
	switch op := p.number(); op {
	case opFalse:
		return "never"
	case opTrue:
		return "always"
	case opIdentifier:
		return "identifier " + quote(p.data())
	case opAppleAnchor:
		return "anchor apple"
	case opAppleGenericAnchor:
		return "anchor apple generic"
	case opAnchorHash:
		slot := p.number()
		return fmt.Sprintf("certificate %s = H\"%s\"", slotName(slot), hex.EncodeToString(p.data()))
	case opCDHash:
		return fmt.Sprintf("cdhash H\"%s\"", hex.EncodeToString(p.data()))
	case opAnd:
		return p.pair("and", depth, binding, binaryAnd)
	case opOr:
		return p.pair("or", depth, binding, binaryOr)
	case opNot:
		return "! " + p.expression(depth+1, unary)
	case opInfoKeyField:
		return fmt.Sprintf("info[%s]", word(p.data())) + p.match()
	case opEntitlementField:
		return fmt.Sprintf("entitlement[%s]", word(p.data())) + p.match()
	case opCertField:
		slot := p.number()
		return fmt.Sprintf("certificate %s[%s]", slotName(slot), word(p.data())) + p.match()
	case opCertGeneric:
		slot := p.number()
		return fmt.Sprintf("certificate %s[field.%s]", slotName(slot), oidText(p.data())) + p.match()
	case opTrustedCert:
		return fmt.Sprintf("certificate %s trusted", slotName(p.number()))
	case opTrustedCerts:
		return "anchor trusted"
	default:
		p.unknown = op
		return ""
	}
}

func (p *printer) pair(operator string, depth, around, binding int) string {
	text := p.expression(depth+1, binding) + " " + operator + " " + p.expression(depth+1, binding)
	if around > binding {
		return "(" + text + ")"
	}
	return text
}

func (p *printer) match() string {
	switch op := p.number(); op {
	case matchExists:
		return " /* exists */"
	case matchEqual:
		return " = " + word(p.data())
	case matchContains:
		return " ~ " + word(p.data())
	case matchBeginsWith:
		return " = " + word(p.data()) + "*"
	case matchEndsWith:
		return " = *" + word(p.data())
	default:
		p.unknown = op
		return ""
	}
}

func slotName(slot uint32) string {
	switch int32(slot) {
	case leafCert:
		return "leaf"
	case anchorCert:
		return "root"
	}
	return fmt.Sprint(int32(slot))
}

// word quotes a text unless it is one plain word, as csreq does.
func word(b []byte) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789."
	s := string(b)
	if s == "" || strings.Trim(s, plain) != "" || s[0] >= '0' && s[0] <= '9' {
		return quote(b)
	}
	return s
}

func quote(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return "0x" + hex.EncodeToString(b)
		}
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(b)) + `"`
}

func oidText(contents []byte) string {
	if len(contents) > 0 && len(contents) < 128 {
		var oid asn1.ObjectIdentifier
		if rest, err := asn1.Unmarshal(append([]byte{asn1.TagOID, byte(len(contents))}, contents...), &oid); err == nil && len(rest) == 0 {
			return oid.String()
		}
	}
	return "0x" + hex.EncodeToString(contents)
}
