package signing

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxScript bounds a PowerShell script in bytes.
const maxScript = 16 << 20

// The signature block of a script (.ps1, .psm1, .psd1), lines ended by CRLF.
const (
	blockBegin = "\r\n# SIG # Begin signature block\r\n"
	blockEnd   = "# SIG # End signature block\r\n"
	blockLine  = 64 // characters of base64 on a line
)

// SignPowerShell signs a script, whose signature it replaces if there is one,
// and gives back the new script. The script must be ASCII: Windows reads any
// other in the machine's own encoding, so that it verifies on some machines
// only (design/libraries.md §1.3).
func SignPowerShell(ctx context.Context, script []byte, id *Identity, opts Options) ([]byte, error) {
	if err := checkScript(script); err != nil {
		return nil, err
	}
	text, err := unsignedText(script)
	if err != nil {
		return nil, err
	}
	content := indirectData(scriptData, scriptDigest(crypto.SHA256, text))
	s := signature{
		contentType:   oidIndirectData,
		content:       sequence(func(b *cryptobyte.Builder) { b.AddBytes(content) }),
		digest:        digestOf(crypto.SHA256, content),
		attributes:    authenticodeAttributes(opts),
		timestampType: oidMicrosoftRFC3161,
	}
	der, err := s.sign(ctx, id, opts)
	if err != nil {
		return nil, err
	}
	return append(bytes.Clone(text), signatureBlock(der)...), nil
}

// unsignedText gives the script without its signature. Nothing else is taken
// away: what follows a signature, or looks like half of one, is refused.
func unsignedText(script []byte) ([]byte, error) {
	text, block, found := bytes.Cut(script, []byte(blockBegin))
	if found {
		if _, err := readSignatureBlock(block); err != nil {
			return nil, fmt.Errorf("%w: the script does not end with its signature block", ErrFormat)
		}
	}
	if bytes.Contains(text, bytes.TrimSpace([]byte(blockBegin))) {
		return nil, fmt.Errorf("%w: the script holds half a signature block", ErrFormat)
	}
	return text, nil
}

func checkScript(script []byte) error {
	if len(script) > maxScript {
		return fmt.Errorf("%w: a script of more than %d bytes", ErrFormat, maxScript)
	}
	for i, c := range script {
		if c >= 0x80 || c == 0 {
			return fmt.Errorf("%w: byte %d of the script is not ASCII", ErrFormat, i)
		}
	}
	return nil
}

// scriptDigest is the digest of the text as UTF-16 in little-endian order,
// which is how PowerShell sees it.
func scriptDigest(hash crypto.Hash, text []byte) []byte {
	wide := make([]byte, 2*len(text))
	for i, c := range text {
		wide[2*i] = c
	}
	return digestOf(hash, wide)
}

// scriptData is the SpcSipInfo of PowerShell's subject interface package,
// {603BCC1F-4B59-4E08-B724-D2C6297EF351}.
var scriptData = sequence(func(b *cryptobyte.Builder) {
	b.AddASN1ObjectIdentifier(oidSIPInfo)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0x10000) // version
		var guid []byte
		guid = binary.LittleEndian.AppendUint32(guid, 0x603bcc1f)
		guid = binary.LittleEndian.AppendUint16(guid, 0x4b59)
		guid = binary.LittleEndian.AppendUint16(guid, 0x4e08)
		b.AddASN1OctetString(append(guid, 0xb7, 0x24, 0xd2, 0xc6, 0x29, 0x7e, 0xf3, 0x51))
		for range 5 { // reserved
			b.AddASN1Int64(0)
		}
	})
})

func signatureBlock(der []byte) []byte {
	text := base64.StdEncoding.EncodeToString(der)
	block := []byte(blockBegin)
	for len(text) > 0 {
		n := min(len(text), blockLine)
		block = fmt.Appendf(block, "# %s\r\n", text[:n])
		text = text[n:]
	}
	return append(block, blockEnd...)
}

// VerifyPowerShell verifies the signature of an ASCII script, which must end
// with its signature block. Errors are those of VerifyPE.
func VerifyPowerShell(script []byte, opts VerifyOptions) (*Report, error) {
	if err := checkScript(script); err != nil {
		return nil, err
	}
	text, block, found := bytes.Cut(script, []byte(blockBegin))
	if !found {
		return nil, ErrNoSignature
	}
	der, err := readSignatureBlock(block)
	if err != nil {
		return nil, err
	}
	s, err := parseSignedData(der)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if s, err = s.preferSecond(r, opts); err != nil {
		return nil, err
	}
	hash, want, err := s.subject(oidSIPInfo)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(scriptDigest(hash, text), want) {
		return nil, fmt.Errorf("%w: the script was changed after it was signed", ErrBadSignature)
	}
	return s.report(r, func(hash crypto.Hash) ([]byte, error) { return digestOf(hash, s.content), nil }, forCode, opts)
}

// readSignatureBlock reads what follows blockBegin. Written anew it must be
// the same, so that nothing is passed over.
func readSignatureBlock(block []byte) ([]byte, error) {
	if len(block) > 2*maxSignature {
		return nil, malformed("signature block")
	}
	var text []byte
	for line := range bytes.Lines(bytes.TrimSuffix(block, []byte(blockEnd))) {
		text = append(text, bytes.TrimSuffix(bytes.TrimPrefix(line, []byte("# ")), []byte("\r\n"))...)
	}
	der, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil || !bytes.Equal(signatureBlock(der)[len(blockBegin):], block) {
		return nil, malformed("signature block")
	}
	return der, nil
}
