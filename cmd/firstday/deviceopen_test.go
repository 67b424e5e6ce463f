package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// seal seals a text to a key, as the console gives it.
func seal(tb testing.TB, to age.Recipient, text string) string {
	tb.Helper()
	var out bytes.Buffer
	armoured := armor.NewWriter(&out)
	w, err := age.Encrypt(armoured, to)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(w.Close(), armoured.Close()); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// What the console gives is opened in its order, also where the lines ended up with
// other ends; what another key opens is told from what is nothing at all.
func TestOpenSealed(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	newest, oldest := seal(t, key.Recipient(), "newest"), seal(t, key.Recipient(), "oldest")
	foreign := seal(t, other.Recipient(), "foreign")
	for name, c := range map[string]struct {
		text string
		want []string
		err  error
	}{
		"one":               {newest, []string{"newest"}, nil},
		"two":               {newest + oldest, []string{"newest", "oldest"}, nil},
		"of Windows":        {strings.ReplaceAll(newest, "\n", "\r\n"), []string{"newest"}, nil},
		"with words around": {"From the console:\n" + newest + "\nDone.\n", []string{"newest"}, nil},
		"one of another":    {foreign + oldest, []string{"oldest"}, nil},
		"all of others":     {foreign, nil, errOtherKey},
		"cut off":           {newest[:len(newest)/2], nil, errOtherKey},
		"nothing":           {"", nil, errNotSealed},
	} {
		t.Run(name, func(t *testing.T) {
			opened, err := openSealed([]byte(c.text), []age.Identity{key})
			if !errors.Is(err, c.err) || len(opened) != len(c.want) {
				t.Fatalf("%d passwords, %v", len(opened), err)
			}
			for i, want := range c.want {
				if opened[i].Reveal() != want {
					t.Errorf("the password %d is another", i)
				}
			}
		})
	}
}

// Whatever a file holds, opening it ends, and opens nothing that was not sealed.
func FuzzOpenSealed(f *testing.F) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(seal(f, key.Recipient(), "password")))
	f.Add([]byte(armor.Header + "\n" + armor.Footer))
	f.Add([]byte(armor.Footer + armor.Header))
	f.Fuzz(func(t *testing.T, b []byte) {
		if opened, err := openSealed(b, []age.Identity{key}); (err == nil) != (len(opened) > 0) {
			t.Errorf("%d passwords, %v", len(opened), err)
		}
	})
}
