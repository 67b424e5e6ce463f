package agent

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testpki"
)

// liar says that its pages are known by whichever CAs.
type liar struct {
	signin.Directory
	anchors [][]byte
}

func (l liar) SignIn(context.Context, *api.SignInRequest) (*api.SignInResponse, error) {
	return &api.SignInResponse{VerificationURIComplete: "https://id.acme.example/signin?code=A", Anchors: l.anchors}, nil
}

// A surface is told of no CA that the agent does not know the directory by.
func TestNoCAButThePinnedOneIsPassedOn(t *testing.T) {
	pki := testpki.New(t)
	own, other := pki.Root.Certificate(), pki.Intermediate.Certificate()
	for name, test := range map[string]struct {
		directory api.Directory
		want      [][]byte
	}{
		"pinned":       {api.Directory{URL: "https://id.acme.example", Pin: api.PinOf(own)}, [][]byte{own.Raw}},
		"no pin":       {api.Directory{URL: "https://id.acme.example"}, nil},
		"another host": {api.Directory{URL: "https://devices.acme.example", Pin: api.PinOf(own)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := binding{liar{anchors: [][]byte{other.Raw, own.Raw}}, &member{enrollment: &api.Enrollment{Directory: test.directory}}}
			answer, err := b.SignIn(t.Context(), &api.SignInRequest{SameDevice: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, answer.Anchors); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
