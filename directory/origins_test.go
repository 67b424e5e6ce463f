package directory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

// A device that shows the pages itself is told all that it may show, and others
// are told nothing.
func TestOriginsOfTheSignIn(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.PagesURL = "https://Signin.acme.example:8443/pages"
	device := newDevice(t, d, "S1")
	begin := func(r api.SignInRequest) []string {
		t.Helper()
		started, err := d.StartSignIn(t.Context(), device, &r, "192.0.2.7")
		if err != nil {
			t.Fatal(err)
		}
		if err := started.Check(); r.SameDevice && err != nil {
			t.Error(err)
		}
		return started.Origins
	}
	if diff := cmp.Diff([]string{"https://signin.acme.example:8443"}, begin(api.SignInRequest{SameDevice: true})); diff != "" {
		t.Errorf("nobody's pages but ours (-want +got):\n%s", diff)
	}
	change(t, d, func(s *api.Settings) { s.Windows.Origins = []string{"https://factor.example"} })
	l := newLiar(t)
	l.metadata = func(m map[string]any) { m["authorization_endpoint"] = "https://login.liar.example/authorize" }
	newProvider(t, d, l.config("liar"))
	silent := l.config("silent")
	silent.Issuer = "https://127.0.0.1:1/tenant"
	newProvider(t, d, silent)
	plain := l.config("plain")
	plain.Issuer = "http://127.0.0.1:1"
	newProvider(t, d, plain)
	want := []string{"https://signin.acme.example:8443", "https://login.liar.example", "https://127.0.0.1:1", "https://factor.example"}
	if diff := cmp.Diff(want, begin(api.SignInRequest{SameDevice: true})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	change(t, d, func(s *api.Settings) {
		for n := range api.MaxOrigins {
			s.Windows.Origins = append(s.Windows.Origins[:n:n], fmt.Sprintf("https://n%d.example", n))
		}
	})
	if got := begin(api.SignInRequest{SameDevice: true}); len(got) != api.MaxOrigins || !slices.Equal(got[:3], want[:3]) {
		t.Errorf("%d origins, %v", len(got), got)
	}
	if got := begin(api.SignInRequest{}); got != nil {
		t.Errorf("a telephone's sign-in has origins %v", got)
	}
}
