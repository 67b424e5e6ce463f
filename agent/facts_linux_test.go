package agent

import (
	"slices"
	"testing"

	"firstday.dev/api"
)

func TestUnixUsers(t *testing.T) {
	const passwd = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/:/usr/sbin/nologin
ann:x:1000:1000:Ann Example,room 5,,:/srv/ann:/bin/bash
bob:x:1001:1001::/srv/bob:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
broken:x:abc
`
	want := []api.LocalUser{{Name: "ann", FullName: "Ann Example", Administrator: true}, {Name: "bob"}}
	if got := unixUsers(passwd, "sudo:x:27:ann,eve\nusers:x:100:bob\nbroken\n"); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What this machine says of itself, a directory takes.
func TestFactsOfThisMachine(t *testing.T) {
	s, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	f, err := (&Agent{System: s, Version: "1.2.3"}).factsOf()
	if err != nil || f.Platform != api.Linux || f.Name == "" || f.Arch == "" || f.OS == "" {
		t.Errorf("%+v, %v", f, err)
	}
}
