package ppkg

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"firstday.dev/internal/testtool"
)

// smallPackage is the smallest thing that can be encrypted: a WIM's header.
func smallPackage(size int) []byte {
	b := make([]byte, size)
	copy(b, wimMagic)
	b[0x48] = 8 // XML data of 8 bytes at the end
	b[0x48+8] = byte(size - 8)
	b[0x48+9] = byte((size - 8) >> 8)
	return b
}

func encrypted(t *testing.T, plain []byte, password string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encrypt(t.Context(), &b, bytes.NewReader(plain), password); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decrypted(t *testing.T, b []byte, password string) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	err := Decrypt(t.Context(), &out, bytes.NewReader(b), int64(len(b)), password)
	if err != nil && out.Len() > 0 {
		t.Errorf("Decrypt wrote %d bytes and then: %v", out.Len(), err)
	}
	return out.Bytes(), err
}

func TestEncryptedPackageComesBack(t *testing.T) {
	whole, err := os.ReadFile(writeFile(t, everything(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range [][]byte{
		whole, smallPackage(208), smallPackage(320), smallPackage(321), smallPackage(bufferUnits * unitSize), smallPackage(bufferUnits*unitSize + 1),
	} {
		for _, password := range []string{"x", "sixteen letters!", NewPassword()} {
			b := encrypted(t, plain, password)
			if want := vectorSize + (len(plain)+159)/160*160 + macSize; len(b) != want {
				t.Errorf("%d bytes became %d, want %d", len(plain), len(b), want)
			}
			if !Encrypted(bytes.NewReader(b), int64(len(b))) {
				t.Error("not recognised as encrypted")
			}
			got, err := decrypted(t, b, password)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes came back as %d: %v", len(plain), len(got), err)
			}
		}
	}
}

// The form is checked with independent code: openssl's, and by hand.
func TestEncryptionIsThatOfTheFormat(t *testing.T) {
	openssl := testtool.Need(t, "openssl")
	plain := smallPackage(200)
	b := encrypted(t, plain, "Secret 1")
	key := []byte("Secret 1\x00\x00\x00\x00\x00\x00\x00\x00")

	vector, text, sum := b[:16], b[16:len(b)-32], b[len(b)-32:]
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	if !hmac.Equal(sum, mac.Sum(nil)) {
		t.Error("HMAC is not that of the ciphertext alone")
	}
	file := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command(openssl, "enc", "-d", "-aes-128-cbc", "-nopad", "-in", file,
		"-K", hexOf(key), "-iv", hexOf(vector)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := append(bytes.Clone(plain), make([]byte, 120)...); !bytes.Equal(got, want) {
		t.Error("openssl decrypts to something else than the package and zeros")
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var s []byte
	for _, c := range b {
		s = append(s, digits[c>>4], digits[c&15])
	}
	return string(s)
}

func TestDecryptTellsWhatIsWrong(t *testing.T) {
	plain := smallPackage(1000)
	good := encrypted(t, plain, "right")
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, test := range map[string]struct {
		file     []byte
		password string
		want     error
	}{
		"wrong password":      {good, "wrong", ErrPassword},
		"longer password":     {good, "right ", ErrPassword},
		"plain WIM":           {plain, "right", ErrNotEncrypted},
		"empty":               {nil, "right", ErrTruncated},
		"only ends":           {good[:48], "right", ErrTruncated},
		"one byte short":      {good[:len(good)-1], "right", ErrTruncated},
		"one byte more":       {append(bytes.Clone(good), 0), "right", ErrTruncated},
		"one unit short":      {good[:len(good)-unitSize], "right", ErrDamaged},
		"vector flipped":      {flip(0), "right", ErrFormat},
		"first block flipped": {flip(16), "right", ErrPassword},
		"later block flipped": {flip(400), "right", ErrDamaged},
		"HMAC flipped":        {flip(len(good) - 1), "right", ErrDamaged},
		"not a package":       {sealed([]byte("right"), make([]byte, 160)), "right", ErrFormat},
	} {
		if _, err := decrypted(t, test.file, test.password); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
	if err := Encrypt(t.Context(), io.Discard, bytes.NewReader(nil), "x"); !errors.Is(err, ErrFormat) {
		t.Errorf("encrypting nothing: %v", err)
	}
	for _, password := range []string{"", "seventeen letters", "pässword", "tab\t"} {
		if err := Encrypt(t.Context(), io.Discard, bytes.NewReader(plain), password); err == nil {
			t.Errorf("password %q is accepted", password)
		}
	}
}

// sealed encrypts anything, as [Encrypt] does not.
func sealed(password, plain []byte) []byte {
	key := make([]byte, keySize)
	copy(key, password)
	block, _ := aes.NewCipher(key) // the key's size is right
	b := make([]byte, vectorSize+len(plain))
	cipher.NewCBCEncrypter(block, b[:vectorSize]).CryptBlocks(b[vectorSize:], plain)
	mac := hmac.New(sha256.New, key)
	mac.Write(b[vectorSize:])
	return mac.Sum(b)
}

// changing gives other bytes when it is read again.
type changing struct {
	io.ReaderAt
	reads, after int
}

func (c *changing) ReadAt(b []byte, pos int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, pos)
	if c.reads++; c.reads > c.after && n > 0 {
		b[n-1] ^= 1
	}
	return n, err
}

func TestDecryptNoticesAFileThatChanges(t *testing.T) {
	b := encrypted(t, smallPackage(1000), "right")
	r := &changing{ReaderAt: bytes.NewReader(b), after: 4} // head, vector, text, HMAC
	if err := Decrypt(t.Context(), io.Discard, r, int64(len(b)), "right"); !errors.Is(err, ErrChanged) {
		t.Errorf("error = %v", err)
	}
}

func TestEncryptStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := encrypted(t, smallPackage(1000), "right")
	if err := Encrypt(ctx, io.Discard, bytes.NewReader(smallPackage(208)), "right"); !errors.Is(err, context.Canceled) {
		t.Errorf("Encrypt: %v", err)
	}
	if err := Decrypt(ctx, io.Discard, bytes.NewReader(b), int64(len(b)), "right"); !errors.Is(err, context.Canceled) {
		t.Errorf("Decrypt: %v", err)
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add(sealed([]byte("x"), smallPackage(320)), "x")
	f.Add(sealed([]byte("x"), smallPackage(320)), "y")
	f.Add(sealed([]byte("long password"), make([]byte, 160)), "long password")
	f.Add(smallPackage(208), "x")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, b []byte, password string) {
		var out bytes.Buffer
		err := Decrypt(t.Context(), &out, bytes.NewReader(b), int64(len(b)), password)
		if err != nil {
			if out.Len() > 0 {
				t.Errorf("wrote %d bytes and then: %v", out.Len(), err)
			}
			return
		}
		// What could be decrypted can be encrypted, and comes back.
		again := encrypted(t, out.Bytes(), password)
		if got, err := decrypted(t, again, password); err != nil || !bytes.Equal(got, out.Bytes()) {
			t.Errorf("%d bytes came back as %d: %v", out.Len(), len(got), err)
		}
	})
}
