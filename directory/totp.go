package directory

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"firstday.dev/api"
)

// What all authenticator apps take for granted (RFC 6238 §4, §5.2).
const (
	totpPeriod = 30 * time.Second
	totpDigits = otp.DigitsSix
	totpSkew   = 1  // steps that a clock may be off
	totpSize   = 20 // bytes of the secret, RFC 4226 §4
)

// newTOTP makes the secret of a second factor, and the address by which an app
// takes it up.
func newTOTP(organisation, user string) (*otp.Key, error) {
	return totp.Generate(totp.GenerateOpts{Issuer: organisation, AccountName: user, SecretSize: totpSize, Period: uint(totpPeriod / time.Second), Digits: totpDigits, Rand: rand.Reader})
}

// checkTOTP gives the time step whose code was typed; ok is false if it is none
// of now, or not later than the last one used: a code is good once (RFC 6238
// §5.2).
func checkTOTP(secret, typed string, last int64, now time.Time) (step int64, ok bool) {
	typed = strings.ReplaceAll(typed, " ", "")
	present := now.Unix() / int64(totpPeriod/time.Second)
	for s := present - totpSkew; s <= present+totpSkew; s++ {
		code, err := hotp.GenerateCodeCustom(secret, uint64(s), hotp.ValidateOpts{Digits: totpDigits, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(code), []byte(typed)) == 1 && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

// Recovery codes stand in for a second factor that got lost, each once.
const (
	recoveryCodes = 10
	recoveryBytes = 10 // 80 bits, in four groups of four letters
)

func newRecoveryCodes() (codes, hashes []string) {
	for range recoveryCodes {
		b := make([]byte, recoveryBytes)
		_, _ = rand.Read(b) // never fails
		letters := strings.ToLower(base32.StdEncoding.EncodeToString(b))
		var groups []string
		for group := range slices.Chunk([]byte(letters), 4) {
			groups = append(groups, string(group))
		}
		code := strings.Join(groups, "-")
		codes, hashes = append(codes, code), append(hashes, recoveryHash(code))
	}
	return codes, hashes
}

// recoveryHash is how the database knows a code, however it is typed.
func recoveryHash(typed string) string {
	letters := strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(typed))
	return hex.EncodeToString(secretHash(api.Secret(letters)))
}
