package directory

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"firstday.dev/api"
)

// liar is an identity provider that can be told to lie. Until then it does what
// OpenID Connect wants, and signs everybody in.
type liar struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	key   *rsa.PrivateKey
	kid   string
	codes map[string]url.Values // authorization requests by code
	said  map[string]any        // claims of the person

	// What to lie about; nil: the truth.
	metadata  func(map[string]any)
	authorize func(answer url.Values)
	claims    func(map[string]any)
	sign      func(header, claims map[string]any) string
	token     http.HandlerFunc
	keys      http.HandlerFunc
	userinfo  http.HandlerFunc
	discovery http.HandlerFunc
}

const liarsSecret = "the-client-secret"

// liarsKeys are made once: making them takes long.
var liarsKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	var keys []*rsa.PrivateKey
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

func newLiar(t *testing.T) *liar {
	t.Helper()
	l := &liar{t: t, key: liarsKeys()[0], kid: "one", codes: make(map[string]url.Values), said: map[string]any{
		"sub": "ann-1", "email": "Ann@acme.example", "email_verified": true, "name": "Ann Example",
	}}
	mux := http.NewServeMux()
	serve := func(pattern string, lie *http.HandlerFunc, truth http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if *lie != nil {
				(*lie)(w, r)
				return
			}
			truth(w, r)
		})
	}
	serve("GET /.well-known/openid-configuration", &l.discovery, l.tellMetadata)
	mux.HandleFunc("GET /authorize", l.answerAuthorize)
	serve("POST /token", &l.token, l.answerToken)
	serve("GET /keys", &l.keys, l.tellKeys)
	serve("GET /userinfo", &l.userinfo, func(w http.ResponseWriter, _ *http.Request) { l.tell(w, l.said) })
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

// config is how a directory should know it.
func (l *liar) config(id string) *api.NewProvider {
	return &api.NewProvider{ClientSecret: liarsSecret, ProviderConfig: api.ProviderConfig{
		ID: id, Name: "Liar & Sons", Issuer: l.URL, ClientID: "firstday", CreateUsers: true,
	}}
}

func (l *liar) tell(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		l.t.Error(err)
	}
}

func (l *liar) tellMetadata(w http.ResponseWriter, _ *http.Request) {
	m := map[string]any{
		"issuer": l.URL, "authorization_endpoint": l.URL + "/authorize", "token_endpoint": l.URL + "/token", "jwks_uri": l.URL + "/keys",
		"userinfo_endpoint": l.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		"code_challenge_methods_supported": []string{"S256"}, "response_types_supported": []string{"code"},
		"authorization_response_iss_parameter_supported": true,
	}
	if l.metadata != nil {
		l.metadata(m)
	}
	l.tell(w, m)
}

func (l *liar) answerAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := rand.Text()
	l.mu.Lock()
	l.codes[code] = q
	l.mu.Unlock()
	answer := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {l.URL}}
	if l.authorize != nil {
		l.authorize(answer)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (l *liar) answerToken(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	code := r.PostFormValue("code")
	l.mu.Lock()
	asked := l.codes[code]
	delete(l.codes, code)
	l.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	wrong := ""
	switch {
	case id != "firstday" || secret != liarsSecret:
		wrong = "invalid_client"
	case asked == nil || asked.Get("redirect_uri") != r.PostFormValue("redirect_uri"),
		asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]) || asked.Get("code_challenge_method") != "S256":
		wrong = "invalid_grant"
	}
	if wrong != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": wrong})
		return
	}
	l.tell(w, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": l.idToken(asked.Get("nonce"))})
}

func (l *liar) idToken(nonce string) string {
	now := time.Now()
	all := map[string]any{"iss": l.URL, "aud": "firstday", "nonce": nonce, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(all, l.said)
	if l.claims != nil {
		l.claims(all)
	}
	header := map[string]any{"alg": "RS256", "kid": l.kid, "typ": "JWT"}
	if l.sign != nil {
		return l.sign(header, all)
	}
	return signed(l.t, header, all, l.key)
}

func (l *liar) tellKeys(w http.ResponseWriter, _ *http.Request) {
	l.tell(w, map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "kid": l.kid,
		"n": base64.RawURLEncoding.EncodeToString(l.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(l.key.E)).Bytes()),
	}}})
}

// signingInput is what a signature of a JSON Web Token covers.
func signingInput(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
}

func signed(t *testing.T, header, claims map[string]any, key *rsa.PrivateKey) string {
	t.Helper()
	input := signingInput(t, header, claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// signedWithPublic is what who knows the public key only can make: by HMAC, with
// it as the secret.
func signedWithPublic(t *testing.T, header, claims map[string]any, key *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	header["alg"] = "HS256"
	input := signingInput(t, header, claims)
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
