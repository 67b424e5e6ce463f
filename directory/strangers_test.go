package directory

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"firstday.dev/api"
)

// Who tries serial numbers with a stolen key is stopped; those who bring other
// keys from the same address are not, nor is whoever succeeds, however often.
func TestRefusedEnrolmentsAreLimited(t *testing.T) {
	d := open(t, t.TempDir(), "")
	stolen := mint(t, d, api.NewConnectKey{Serials: []string{"S1"}})
	good := mint(t, d, api.NewConnectKey{Uses: 1000})
	enrolFrom := func(address, serial string, key api.Secret) error {
		_, err := d.enrollStranger(t.Context(), newLaptop(t, serial).request(t, key), address)
		return err
	}
	for i := range 20 {
		if err := enrolFrom("2001:db8::1", fmt.Sprint("X", i), stolen.Secret); !errors.Is(err, api.CodeKeySerial) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	err := enrolFrom("2001:db8::2", "S1", stolen.Secret)
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Code != api.CodeTooMany || refused.RetryAfter < 1 || refused.RetryAfter > 3 {
		t.Errorf("the next one, who guessed right: %v", err)
	}
	if uses, err := d.KeyUses(t.Context(), stolen.ID); err != nil || len(uses) != 20 {
		t.Errorf("the ledger has %d lines, %v", len(uses), err)
	}
	if err := enrolFrom("2001:db8:0:1::1", "S1", stolen.Secret); err != nil {
		t.Errorf("the right laptop from elsewhere: %v", err)
	}
	for i := range 100 {
		if err := enrolFrom("2001:db8::1", fmt.Sprint("Y", i), good.Secret); err != nil {
			t.Fatalf("laptop %d of a station at the same address: %v", i, err)
		}
	}
}

// A guessed secret is told so ten times; who has one that holds is let in all
// the same.
func TestGuessesAreLimited(t *testing.T) {
	d := open(t, t.TempDir(), "")
	h := d.Handler()
	owner := token(t, d, api.Owner)
	whoami := func(address string, secret api.Secret) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, api.PathAdmin+"/whoami", nil)
		r.RemoteAddr = address + ":1234"
		r.Header.Set("Authorization", "Bearer "+secret.Reveal())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for i := range 10 {
		if w := whoami("192.0.2.7", "fdt_guess"); w.Code != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, w.Code)
		}
	}
	if w := whoami("192.0.2.7", "fdt_guess"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("one guess more: %d, %v", w.Code, w.Header())
	}
	if w := whoami("192.0.2.7", owner); w.Code != http.StatusOK {
		t.Errorf("the owner at the same address: %d", w.Code)
	}
	if w := whoami("192.0.2.8", "fdt_guess"); w.Code != http.StatusUnauthorized {
		t.Errorf("a guess from elsewhere: %d", w.Code)
	}
	unknown := newLaptop(t, "S1").request(t, "fdk_guess")
	if _, err := d.enrollStranger(t.Context(), unknown, "192.0.2.7"); !errors.Is(err, api.CodeTooMany) {
		t.Errorf("a guessed connect key from there: %v", err)
	}
	known := mint(t, d, api.NewConnectKey{Life: api.Duration(time.Hour)})
	if _, err := d.enrollStranger(t.Context(), newLaptop(t, "S1").request(t, known.Secret), "192.0.2.7"); err != nil {
		t.Errorf("a laptop from there: %v", err)
	}
}
