package kit

import (
	"crypto/rand"
	"regexp"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
)

func TestGeneratedPasswords(t *testing.T) {
	shape := regexp.MustCompile(`^[A-HJ-NP-Za-kmnp-z2-9]{5}(-[A-HJ-NP-Za-kmnp-z2-9]{5}){4}$`)
	seen := map[api.Secret]bool{}
	for range 200 {
		p, err := generatePassword(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, class := range []string{"[A-Z]", "[a-z]", "[0-9]"} {
			if !regexp.MustCompile(class).MatchString(p.Reveal()) {
				t.Errorf("%s has no %s", p.Reveal(), class)
			}
		}
		if !shape.MatchString(p.Reveal()) || seen[p] {
			t.Errorf("bad or repeated password %s", p.Reveal())
		}
		seen[p] = true
	}
}

func TestReproduciblePasswordsDependOnKeyAndPackage(t *testing.T) {
	password := func(key api.Secret, id uuid.UUID) api.Secret {
		p, err := (&secrets{connectKey: key}).breakGlassPassword(id, true)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	id := uuid.MustParse("3f2b1c60-9a1e-4a52-8d6e-0a6c0a2a7b11")
	first := password("key", id)
	if again := password("key", id); again != first {
		t.Error("the same inputs give two passwords")
	}
	if password("another key", id) == first || password("key", uuid.New()) == first {
		t.Error("other inputs give the same password")
	}
}
