package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"

	"firstday.dev/api"
)

// effort is what it costs to hash a password with argon2id.
type effort struct {
	time    uint32
	memory  uint32 // KiB
	threads uint8
}

var (
	// chosen is for passwords that people choose: RFC 9106 §4, the second
	// recommended option.
	chosen = effort{time: 3, memory: 64 << 10, threads: 4}
	// made is for the temporary ones that we make: nobody guesses 130 bits, and
	// a thousand people are imported at once.
	made = effort{time: 1, memory: 1 << 10, threads: 1}
)

// Sizes in bytes, RFC 9106 §3.1.
const (
	saltSize = 16
	hashSize = 32
)

// hashing bounds how many passwords are hashed at once: each takes its memory.
var hashing = make(chan struct{}, runtime.GOMAXPROCS(0))

// hashPassword gives what the database keeps of a password, in PHC's format:
// $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func hashPassword(ctx context.Context, password api.Secret, e effort) (string, error) {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	hash, err := e.hash(ctx, password, salt)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, e.memory, e.time, e.threads, b64.EncodeToString(salt), b64.EncodeToString(hash)), nil
}

func (e effort) hash(ctx context.Context, password api.Secret, salt []byte) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-hashing }()
	typed := []byte(password.Reveal())
	defer clear(typed)
	return argon2.IDKey(typed, salt, e.time, e.memory, e.threads, hashSize), nil
}

var errHash = errors.New("the password in the database is damaged")

// checkPassword tells whether the password is the one that was hashed. Where
// there is none it takes as long, so that nobody learns who is known.
func checkPassword(ctx context.Context, password api.Secret, hashed string) (bool, error) {
	if hashed == "" {
		_, err := chosen.hash(ctx, password, make([]byte, saltSize))
		return false, err
	}
	var version int
	var e effort
	var salt64, hash64 string
	// Sscanf's %s takes all up to a space.
	if _, err := fmt.Sscanf(spaced(hashed), " argon2id v=%d m=%d,t=%d,p=%d %s %s", &version, &e.memory, &e.time, &e.threads, &salt64, &hash64); err != nil || version != argon2.Version {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(salt64)
	want, err2 := base64.RawStdEncoding.DecodeString(hash64)
	if err != nil || err2 != nil || e.time == 0 || e.threads == 0 {
		return false, errHash
	}
	got, err := e.hash(ctx, password, salt)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

func spaced(phc string) string {
	b := []byte(phc)
	for i := range b {
		if b[i] == '$' {
			b[i] = ' '
		}
	}
	return string(b)
}
