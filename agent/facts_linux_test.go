package agent

import (
	"testing"

	"firstday.dev/api"
)

// What this machine says of itself, a directory takes.
func TestFactsOfThisMachine(t *testing.T) {
	s, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	m := &member{Agent: &Agent{System: s, Version: "1.2.3"}, enrollment: new(api.Enrollment)}
	if err := m.offerSignIn(); err != nil {
		t.Fatal(err)
	}
	f, err := m.factsOf(t.Context())
	if err != nil || f.Platform != api.Linux || f.Name == "" || f.Arch == "" || f.OS == "" {
		t.Errorf("%+v, %v", f, err)
	}
}
