package ppkg

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrEncrypted is what [Open] says of a file that [Decrypt] may be able to read.
var ErrEncrypted = errors.New("ppkg: not a WIM; perhaps an encrypted package")

// What [Decrypt] finds wrong.
var (
	ErrNotEncrypted = errors.New("ppkg: package is not encrypted")
	ErrTruncated    = errors.New("ppkg: encrypted package is cut short")
	ErrPassword     = errors.New("ppkg: wrong password")
	ErrBadPassword  = errors.New("ppkg: unusable password") // also of [Encrypt]
	ErrDamaged      = errors.New("ppkg: encrypted package was changed")
)

// An encrypted package is an initialisation vector, the package, padded with
// zeros and encrypted with AES-128-CBC, and the HMAC-SHA-256 of the ciphertext
// (formats/ppkg.md §6). The password is the key of both.
const (
	vectorSize  = aes.BlockSize
	macSize     = sha256.Size
	unitSize    = 160 // the plain package is padded to a multiple of it
	keySize     = 16  // and the longest password
	wimMagic    = "MSWIM\x00\x00\x00"
	bufferUnits = 400
)

// NewPassword makes a password of the greatest length, with 80 random bits.
func NewPassword() string { return rand.Text()[:keySize] }

// passwordKey is the password, padded with zeros: there is no key derivation.
func passwordKey(password string) ([]byte, error) {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if password == "" || len(password) > keySize || strings.ContainsFunc(password, odd) {
		return nil, fmt.Errorf("%w: it must have 1 to %d characters of ASCII", ErrBadPassword, keySize)
	}
	return append([]byte(password), make([]byte, keySize-len(password))...), nil
}

// Encrypt encrypts the package in r the way Windows knows, which asks for the
// password when the package is applied.
//
// It is weak: the password, of at most 16 characters, is the key itself, so
// that whoever holds the file can try passwords as fast as a computer can.
// Only one made by [NewPassword] withstands that. The file's first block can
// be changed unnoticed, since the HMAC does not cover the vector. Do not count
// on it for secrets that matter; let them expire.
func Encrypt(ctx context.Context, out io.Writer, r io.Reader, password string) error {
	key, err := passwordKey(password)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	vector := make([]byte, vectorSize)
	if _, err := rand.Read(vector); err != nil {
		return err
	}
	if _, err := out.Write(vector); err != nil {
		return err
	}
	encrypter := cipher.NewCBCEncrypter(block, vector)
	mac := hmac.New(sha256.New, key)
	buf := make([]byte, bufferUnits*unitSize)
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(r, buf)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if first && !bytes.HasPrefix(buf[:n], []byte(wimMagic)) {
			return fmt.Errorf("%w: not a WIM", ErrFormat)
		}
		padded := (n + unitSize - 1) / unitSize * unitSize
		clear(buf[n:padded])
		encrypter.CryptBlocks(buf[:padded], buf[:padded])
		mac.Write(buf[:padded])
		if _, err := out.Write(buf[:padded]); err != nil {
			return err
		}
		if err != nil {
			break
		}
	}
	_, err = out.Write(mac.Sum(nil))
	return err
}

// Encrypted reports whether a file that is not a WIM could be an encrypted
// package. Only [Decrypt] can tell.
func Encrypted(r io.ReaderAt, size int64) bool {
	head := make([]byte, len(wimMagic))
	if _, err := r.ReadAt(head, 0); err != nil {
		return false
	}
	return string(head) != wimMagic && size >= vectorSize+unitSize+macSize && (size-vectorSize-macSize)%unitSize == 0
}

// Decrypt decrypts the package in r to out, without the padding. It reads r
// twice: nothing is written before the HMAC is verified, but one of an error
// that comes later must not be used.
//
// The error wraps [ErrNotEncrypted], [ErrTruncated], [ErrPassword],
// [ErrDamaged], [ErrChanged], or [ErrFormat] where what was encrypted is not a
// package. A wrong password cannot be told from a changed beginning.
func Decrypt(ctx context.Context, out io.Writer, r io.ReaderAt, size int64, password string) error {
	key, err := passwordKey(password)
	if err != nil {
		return err
	}
	d, err := newDecrypter(r, size, key)
	if err != nil {
		return err
	}
	first, err := d.verify(ctx)
	if err != nil {
		return err
	}
	return d.decrypt(ctx, out, packageEnd(first, d.size))
}

type decrypter struct {
	r    io.ReaderAt
	key  []byte
	size int64 // of the ciphertext
	buf  []byte
}

func newDecrypter(r io.ReaderAt, size int64, key []byte) (*decrypter, error) {
	head := make([]byte, len(wimMagic))
	if n, _ := r.ReadAt(head, 0); n == len(head) && string(head) == wimMagic {
		return nil, ErrNotEncrypted
	}
	d := &decrypter{r: r, key: key, size: size - vectorSize - macSize, buf: make([]byte, bufferUnits*unitSize)}
	if d.size < unitSize || d.size%unitSize != 0 {
		return nil, fmt.Errorf("%w, or no encrypted package: %d bytes", ErrTruncated, size)
	}
	return d, nil
}

// verify reads everything once and returns the beginning of the package.
func (d *decrypter) verify(ctx context.Context) ([]byte, error) {
	var first []byte
	same, err := d.each(ctx, func(plain []byte) error {
		if first == nil {
			first = bytes.Clone(plain)
		}
		return nil
	})
	isWIM := bytes.HasPrefix(first, []byte(wimMagic))
	switch {
	case err != nil:
		return nil, err
	case !same && !isWIM:
		return nil, ErrPassword
	case !same:
		return nil, ErrDamaged
	case !isWIM:
		return nil, fmt.Errorf("%w: what is encrypted is not a WIM", ErrFormat)
	}
	return first, nil
}

// decrypt writes the package up to its end.
func (d *decrypter) decrypt(ctx context.Context, out io.Writer, end int64) error {
	same, err := d.each(ctx, func(plain []byte) error {
		plain = plain[:min(int64(len(plain)), end)]
		end -= int64(len(plain))
		_, err := out.Write(plain)
		return err
	})
	if err == nil && !same {
		err = ErrChanged
	}
	return err
}

// each decrypts the file piece by piece and reports whether its HMAC is right.
func (d *decrypter) each(ctx context.Context, f func(plain []byte) error) (same bool, err error) {
	block, err := aes.NewCipher(d.key)
	if err != nil {
		return false, err
	}
	vector := make([]byte, vectorSize)
	if err := d.readAt(vector, 0); err != nil {
		return false, err
	}
	cbc := cipher.NewCBCDecrypter(block, vector)
	mac := hmac.New(sha256.New, d.key)
	for pos := int64(0); pos < d.size; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		piece := d.buf[:min(int64(len(d.buf)), d.size-pos)]
		if err := d.readAt(piece, vectorSize+pos); err != nil {
			return false, err
		}
		mac.Write(piece)
		cbc.CryptBlocks(piece, piece)
		if err := f(piece); err != nil {
			return false, err
		}
		pos += int64(len(piece))
	}
	sum := make([]byte, macSize)
	if err := d.readAt(sum, vectorSize+d.size); err != nil {
		return false, err
	}
	return hmac.Equal(sum, mac.Sum(nil)), nil
}

func (d *decrypter) readAt(b []byte, pos int64) error {
	n, err := d.r.ReadAt(b, pos)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return ErrTruncated
	}
	return err
}

// packageEnd finds where a package ends of which padded bytes were encrypted:
// where the last resource that the WIM's header names ends, or, where that
// cannot be, at the end.
func packageEnd(head []byte, padded int64) int64 {
	if len(head) < wimHeaderSize {
		return padded
	}
	var end uint64
	for _, at := range []int{0x30, 0x48, 0x7C} { // blob table, XML data, integrity table
		size := binary.LittleEndian.Uint64(head[at:]) & (1<<56 - 1)
		offset := binary.LittleEndian.Uint64(head[at+8:])
		if size > uint64(padded) || offset > uint64(padded) {
			return padded
		}
		end = max(end, offset+size)
	}
	if end > uint64(padded) || end+unitSize <= uint64(padded) {
		return padded
	}
	return int64(end)
}

const wimHeaderSize = 208
