package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/signing"
)

// TestMain lets this test program be the external signer.
func TestMain(m *testing.M) {
	if manner := os.Getenv("FIRSTDAY_TEST_SIGNER"); manner != "" {
		os.Exit(beSigner(manner))
	}
	os.Exit(m.Run())
}

func beSigner(manner string) int {
	switch manner {
	case "good":
		args := os.Args[1:]
		id, err := signing.LoadPEM(args[0], args[1], "")
		if err == nil {
			err = signing.ServeSigner(os.Stdin, os.Stdout, id)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	case "refuses":
		signing.RefuseSigner(os.Stdin, os.Stdout, errors.New("no token\x1b[31m plugged in"))
	case "dies":
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 5000)+"\nout of\tpaper")
		return 3
	case "babbles":
		fmt.Println("Welcome to Signer 3000!")
		io.Copy(io.Discard, os.Stdin)
	case "floods":
		fmt.Print(strings.Repeat("y", 1<<20))
		io.Copy(io.Discard, os.Stdin)
	case "empty":
		fmt.Println("{}")
		io.Copy(io.Discard, os.Stdin)
	case "silent":
		io.Copy(io.Discard, os.Stdin)
	}
	return 0
}

func openSigner(t *testing.T, ctx context.Context, manner string, args ...string) (*signing.Identity, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FIRSTDAY_TEST_SIGNER", manner)
	return signing.OpenSigner(ctx, signing.SignerProgram{Args: append([]string{self}, args...)})
}

func TestExternalSignerSigns(t *testing.T) {
	pki := testpki.New(t)
	for _, entity := range []*testpki.Entity{pki.CodeRSA, pki.CodeEC} {
		certFile, keyFile := entity.WritePEM(t, "")
		id, err := openSigner(t, t.Context(), "good", certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			cat, err := signing.SignCatalog(t.Context(), unsignedCatalog(t), id, describe)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := signing.VerifyCatalog(cat, trust(pki)); err != nil {
				t.Error(err)
			}
		}
		if err := id.Close(); err != nil {
			t.Error(err)
		}
		if err := id.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
		if _, err := signing.SignCatalog(t.Context(), unsignedCatalog(t), id, describe); err == nil {
			t.Error("signed after Close")
		}
	}
}

func TestExternalSignersFaultsAreExplained(t *testing.T) {
	for manner, want := range map[string]string{
		"refuses": `no token\x1b[31m plugged in`,
		"dies":    "x out of paper",
		"babbles": "does not speak the signer protocol",
		"floods":  "a line of more than",
		"empty":   "it sent 0 certificates",
	} {
		_, err := openSigner(t, t.Context(), manner)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 2000 {
			t.Errorf("%s: %v", manner, err)
		}
	}
	if _, err := signing.OpenSigner(t.Context(), signing.SignerProgram{Args: []string{"/no/such/signer"}}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := signing.OpenSigner(t.Context(), signing.SignerProgram{}); err == nil {
		t.Error("no program, no error")
	}
}

func TestExternalSignersCertificateIsChecked(t *testing.T) {
	pki := testpki.New(t)
	for name, test := range map[string]struct {
		entity *testpki.Entity
		want   error
	}{"no usage": {pki.NoEKU, signing.ErrNotCodeSigning}, "expired": {pki.Expired, signing.ErrExpired}} {
		var out bytes.Buffer
		in := strings.NewReader(`{"version":1,"method":"open"}` + "\n" + `{"version":1,"method":"sign","hash":"MD5"}` + "\n" + `{"version":2}` + "\n" + `{"version":1,"method":"dance"}` + "\n")
		if err := signing.ServeSigner(in, &out, identity(test.entity)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 4 || !strings.Contains(lines[1], "only SHA-256") || !strings.Contains(lines[2], "version 2") || !strings.Contains(lines[3], `\"dance\"`) {
			t.Errorf("answers %q", lines[1:])
		}
		if _, err := signing.OpenSigner(t.Context(), signing.SignerProgram{Args: []string{"sh", "-c", "read x; echo '" + lines[0] + "'"}}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExternalSignerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := openSigner(t, ctx, "silent"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}
