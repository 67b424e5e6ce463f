package kit

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// secrets are what the configuration only points at.
type secrets struct {
	connectKey api.Secret
	breakGlass api.Secret   // zero: to be generated
	wifi       []api.Secret // by network; zero for those without
}

func resolveSecrets(o *Options) (*secrets, error) {
	c, prompt := o.Config, o.Prompt
	s := new(secrets)
	var err error
	if o.Mint == nil {
		if s.connectKey, err = c.ConnectKey.Resolve(prompt); err != nil {
			return nil, c.ErrorAt("connectKey", "", "%w", err)
		}
	}
	if !slices.Contains(o.Platforms, Windows) {
		return s, nil
	}
	if s.breakGlass, err = c.Windows.BreakGlass.Resolve(prompt); err != nil {
		return nil, c.ErrorAt("windows.breakGlass.password", "", "%w", err)
	}
	for i, w := range c.Windows.WiFi {
		passphrase, err := w.Passphrase(prompt)
		if err != nil {
			return nil, c.ErrorAt(fmt.Sprintf("windows.wifi[%d].password", i), "", "%w", err)
		}
		s.wifi = append(s.wifi, passphrase)
	}
	return s, nil
}

// breakGlassPassword is the configured password or a new one for this package.
//
// A reproducible build cannot draw it by chance. It derives it from the
// connect key, which every holder of the package has anyway, and the package's
// id: so that the same inputs give the same bytes, and nobody who knows only
// those inputs that are public knows the password.
func (s *secrets) breakGlassPassword(id uuid.UUID, reproducible bool) (api.Secret, error) {
	if s.breakGlass != "" {
		return s.breakGlass, nil
	}
	chance := rand.Reader
	if reproducible {
		seed, err := hkdf.Key(sha256.New, []byte(s.connectKey.Reveal()), id[:], "firstday break-glass password v1", 1024)
		if err != nil {
			return "", err
		}
		chance = bytes.NewReader(seed)
	}
	return generatePassword(chance)
}

// passwordAlphabet leaves out what people confuse when they read a password
// off a screen at three in the morning.
const passwordAlphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"

// generatePassword makes five groups of five characters, 145 bits, with the
// capital, small letter and digit that Windows' complexity rule asks for.
func generatePassword(chance io.Reader) (api.Secret, error) {
	const groups, size = 5, 5
	for {
		password := make([]byte, 0, groups*(size+1))
		var upper, lower, digit bool
		for i := range groups * size {
			if i > 0 && i%size == 0 {
				password = append(password, '-')
			}
			c, err := pick(chance)
			if err != nil {
				return "", fmt.Errorf("generating a password: %w", err)
			}
			upper = upper || c >= 'A' && c <= 'Z'
			lower = lower || c >= 'a' && c <= 'z'
			digit = digit || c >= '0' && c <= '9'
			password = append(password, c)
		}
		if upper && lower && digit {
			return api.Secret(password), nil
		}
	}
}

// pick draws one character, each with the same chance: bytes beyond the last
// whole multiple of the alphabet are drawn again.
func pick(chance io.Reader) (byte, error) {
	const fair = 256 - 256%len(passwordAlphabet)
	var b [1]byte
	for {
		if _, err := io.ReadFull(chance, b[:]); err != nil {
			return 0, err
		}
		if int(b[0]) < fair {
			return passwordAlphabet[int(b[0])%len(passwordAlphabet)], nil
		}
	}
}
