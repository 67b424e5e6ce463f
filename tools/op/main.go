// Op is an OpenID Connect provider for tests: zitadel's certified one, with a
// page for name and password and another for a code of an authenticator app. It
// reads its configuration from standard input as JSON, writes its issuer to
// standard output, and runs until it is killed.
package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// config says who may sign in, and for whom.
type config struct {
	Listen       string `json:"listen"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	RedirectURI  string `json:"redirectUri"`
	Users        []user `json:"users"`
}

// user is somebody who can sign in.
type user struct {
	Subject  string   `json:"subject"`
	Name     string   `json:"name"`
	Password string   `json:"password"`
	TOTP     string   `json:"totp"` // secret of the authenticator app
	First    string   `json:"first"`
	Last     string   `json:"last"`
	Email    string   `json:"email"`
	Verified bool     `json:"verified"`
	Groups   []string `json:"groups"`
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	var c config
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	issuer := "http://" + l.Addr().String()
	people := newPeople(c.Users)
	storage.RegisterClients(storage.WebClient(c.ClientID, c.ClientSecret, c.RedirectURI))
	store := &store{storage.NewStorage(people), people}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	provider, err := op.NewProvider(&op.Config{CryptoKey: key, CryptoKeyId: "1", CodeMethodS256: true}, store, op.StaticIssuer(issuer), op.WithAllowInsecure())
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	p := &pages{store: store, waiting: make(map[string]login), callback: op.AuthCallbackURL(provider)}
	p.serve(mux, op.NewIssuerInterceptor(provider.IssuerFromRequest))
	mux.Handle("/", provider)
	fmt.Println(issuer)
	return (&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
}
