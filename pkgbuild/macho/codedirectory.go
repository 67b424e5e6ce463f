package macho

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // old signatures
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/binary"
	"fmt"
	"strings"
)

// The flags of a signature, of xnu's <kern/cs_blobs.h>.
const (
	FlagAdhoc        = 0x2
	FlagRuntime      = 0x1_0000 // the hardened runtime
	FlagLinkerSigned = 0x2_0000
)

// execMainBinary is an execSegFlag: the program is run, not loaded.
const execMainBinary = 1

const (
	versionExecSegment = 0x2_0400
	versionRuntime     = 0x2_0500

	hashSHA256 = 2
	pageShift  = 12
	cdHashSize = 20 // bytes of a cdhash, whatever the hash
)

// codeDirectory is what a code signature signs: the hashes of the code's pages
// and of everything else that counts.
type codeDirectory struct {
	raw        []byte // the blob
	version    uint32
	flags      uint32
	identifier string
	teamID     string
	limit      int64 // how much code the pages cover, in bytes
	hash       crypto.Hash
	hashSize   int
	pageShift  uint8             // 0: one page, however long
	special    map[uint32][]byte // hashes of the slots from 1
	pages      [][]byte
	execOffset int64 // the segment __TEXT, from version 0x20400 on
	execLimit  int64
	execFlags  uint64
	runtime    uint32 // version of the SDK, from version 0x20500 on
}

// headerSize is where the strings begin, in bytes, by version.
func headerSize(version uint32) int {
	switch {
	case version >= versionRuntime:
		return 96
	case version >= versionExecSegment:
		return 88
	case version >= 0x2_0300:
		return 64
	case version >= 0x2_0200:
		return 52
	case version >= 0x2_0100:
		return 48
	default:
		return 44
	}
}

// append writes the blob; pages may still be missing.
func (d *codeDirectory) encode(pages [][]byte) []byte {
	identifier := headerSize(d.version)
	team, hashes := 0, identifier+len(d.identifier)+1
	if d.teamID != "" {
		team, hashes = hashes, hashes+len(d.teamID)+1
	}
	var highest uint32
	for kind := range d.special {
		highest = max(highest, kind)
	}
	hashes += int(highest) * d.hashSize
	var b []byte
	u32 := func(values ...int64) {
		for _, v := range values {
			b = binary.BigEndian.AppendUint32(b, uint32(v))
		}
	}
	u64 := func(values ...int64) {
		for _, v := range values {
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		}
	}
	u32(int64(d.version), int64(d.flags), int64(hashes), int64(identifier), int64(highest), int64(len(pages)), d.limit)
	b = append(b, byte(d.hashSize), hashSHA256, 0, d.pageShift)
	u32(0)                 // spare
	u32(0, int64(team), 0) // scatter, team, spare
	u64(0, d.execOffset, d.execLimit, int64(d.execFlags))
	if d.version >= versionRuntime {
		u32(int64(d.runtime), 0) // no pre-encrypted pages
	}
	b = append(append(b, d.identifier...), 0)
	if d.teamID != "" {
		b = append(append(b, d.teamID...), 0)
	}
	for kind := highest; kind > 0; kind-- {
		if sum := d.special[kind]; sum != nil {
			b = append(b, sum...)
		} else {
			b = append(b, make([]byte, d.hashSize)...)
		}
	}
	for _, sum := range pages {
		b = append(b, sum...)
	}
	return blob(magicCodeDirectory, b)
}

// cdHash names the code: the hash of its CodeDirectory, cut.
func (d *codeDirectory) cdHash() []byte { return sum(d.hash, d.raw)[:cdHashSize] }

func sum(hash crypto.Hash, b []byte) []byte {
	h := hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// hashTypes are those a CodeDirectory can have: the algorithm, and how many
// bytes are kept.
var hashTypes = map[byte]struct {
	hash crypto.Hash
	size int
}{
	1:          {crypto.SHA1, 20},
	hashSHA256: {crypto.SHA256, 32},
	3:          {crypto.SHA256, 20},
	4:          {crypto.SHA384, 48},
}

// maxPageShift bounds the pages of others' signatures, as a power of two.
const maxPageShift = 20

func parseCodeDirectory(raw []byte) (*codeDirectory, error) {
	b, err := openBlob(raw, magicCodeDirectory)
	if err != nil {
		return nil, err
	}
	if len(b) < 36 {
		return nil, badSignature("the CodeDirectory ends early")
	}
	u32 := func(at int) int64 { return int64(binary.BigEndian.Uint32(raw[at:])) }
	u64 := func(at int) int64 { return int64(binary.BigEndian.Uint64(raw[at:])) }
	d := &codeDirectory{raw: raw, version: uint32(u32(8)), flags: uint32(u32(12)), limit: u32(32), pageShift: raw[39]}
	header := headerSize(d.version)
	kind, known := hashTypes[raw[37]]
	switch {
	case d.version < 0x2_0000 || d.version >= 0x3_0000 || len(raw) < header:
		return nil, badSignature("a CodeDirectory of version %#x", d.version)
	case !known || !kind.hash.Available() || int(raw[36]) != kind.size:
		return nil, badSignature("hashes of type %d", raw[37])
	case d.pageShift > maxPageShift:
		return nil, badSignature("pages of 2^%d bytes", d.pageShift)
	}
	d.hash, d.hashSize = kind.hash, kind.size
	if d.version >= 0x2_0100 && u32(44) != 0 {
		return nil, badSignature("scattered code, which is of other systems")
	}
	if d.identifier, err = d.text(u32(20), header); err != nil || d.identifier == "" {
		return nil, badSignature("the identifier is missing")
	}
	if d.version >= 0x2_0200 && u32(48) != 0 {
		if d.teamID, err = d.text(u32(48), header); err != nil {
			return nil, err
		}
	}
	if d.version >= 0x2_0300 && u64(56) != 0 {
		d.limit = u64(56)
	}
	if d.version >= versionExecSegment {
		d.execOffset, d.execLimit, d.execFlags = u64(64), u64(72), uint64(u64(80))
	}
	if d.version >= versionRuntime {
		d.runtime = uint32(u32(88))
	}
	return d, d.parseHashes(u32(16), u32(24), u32(28), header)
}

// text is a string within the CodeDirectory that ends with a zero byte.
func (d *codeDirectory) text(at int64, header int) (string, error) {
	if at < int64(header) || at >= int64(len(d.raw)) {
		return "", badSignature("a name lies outside of the CodeDirectory")
	}
	name, _, found := bytes.Cut(d.raw[at:], []byte{0})
	if !found || len(name) > 1024 || strings.ContainsFunc(string(name), func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }) {
		return "", badSignature("a name in the CodeDirectory is damaged")
	}
	return string(name), nil
}

func (d *codeDirectory) parseHashes(at, special, pages int64, header int) error {
	size := int64(d.hashSize)
	// The counts have 32 bits each: nothing here overflows.
	if at-special*size < int64(header) || at+pages*size > int64(len(d.raw)) {
		return badSignature("the hashes lie outside of the CodeDirectory")
	}
	d.special = make(map[uint32][]byte)
	for i := int64(1); i <= special; i++ {
		if sum := d.raw[at-i*size : at-(i-1)*size]; !bytes.Equal(sum, make([]byte, size)) {
			d.special[uint32(i)] = sum
		}
	}
	for i := range pages {
		d.pages = append(d.pages, d.raw[at+i*size:at+(i+1)*size])
	}
	want := int64(1)
	if d.pageShift > 0 {
		want = (d.limit + 1<<d.pageShift - 1) >> d.pageShift
	}
	if d.limit < 0 || pages != want {
		return badSignature("%d hashes of pages for %d bytes", pages, d.limit)
	}
	return nil
}

// sdkVersion writes a version as people do: 12.0, 14.2.1.
func sdkVersion(v uint32) string {
	if v == 0 {
		return ""
	}
	s := fmt.Sprintf("%d.%d", v>>16, v>>8&0xff)
	if patch := v & 0xff; patch != 0 {
		s += fmt.Sprintf(".%d", patch)
	}
	return s
}
