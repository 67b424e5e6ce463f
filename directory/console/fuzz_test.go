package console

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever passes for an address of the console leads nowhere else, as a browser
// follows it.
func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/console/", "/console/keys?a=b", "/console/../signin", "/console/%2e%2e/signin", "//evil.example/console/", "/console/\\evil", "/console/..//evil.example", "/console/%5cevil", "/console/#x"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://directory.example/console/keys")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !local(path) {
			return
		}
		to, err := base.Parse(path)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || !strings.HasPrefix(to.Path+"/", Path) {
			t.Errorf("%q leads to %v, %v", path, to, err)
		}
	})
}

// Whatever a browser brings for what the last page had to say, the next one is
// written, in each language.
func FuzzSaid(f *testing.F) {
	for _, seed := range []string{`{"s":"Done."}`, `{"s":"The connect key %s is revoked.","a":["x"],"k":"good"}`, `{"s":"%d %s %[7]d","a":[1.5,null,{"a":[]}]}`, `{`, `{"s":"<b>","k":"\" onclick=x"}`} {
		f.Add([]byte(seed))
	}
	languages, err := readLanguages()
	if err != nil {
		f.Fatal(err)
	}
	for _, l := range languages {
		if err := l.parse(); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := httptest.NewRequest(http.MethodGet, Path, nil)
		r.AddCookie(&http.Cookie{Name: saidCookie, Value: base64.RawURLEncoding.EncodeToString(text)})
		v := &visit{Request: r}
		s, spent := v.said()
		if spent == nil || spent.MaxAge >= 0 {
			t.Error("it would be said again")
		}
		if s == nil {
			return
		}
		for _, l := range languages {
			_ = l.say(s.Sentence, s.Args...)
		}
	})
}
