package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/internal/testpki"
)

// The cloud services are played by servers that know as much of them as the
// clients ask for. What the real ones do otherwise, no test here sees.

func cloudKeys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	keys := map[string]crypto.Signer{}
	for name, useRSA := range map[string]bool{"RSA": true, "EC": false} {
		e, err := testpki.Issue(&x509.Certificate{}, nil, useRSA)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = e.Key
	}
	return keys
}

// fakeKMS answers as AWS KMS does: JSON, with the operation in a header.
func fakeKMS(t *testing.T, id string, key crypto.Signer) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			KeyID            string `json:"KeyId"`
			Message          []byte
			MessageType      string
			SigningAlgorithm string
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if request.KeyID != id || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIATEST/") {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"NotFoundException","message":"Key does not exist"}`)
			return
		}
		var answer any
		switch r.Header.Get("X-Amz-Target") {
		case "TrentService.GetPublicKey":
			der, err := x509.MarshalPKIXPublicKey(key.Public())
			if err != nil {
				t.Error(err)
			}
			answer = map[string]any{"KeyId": id, "PublicKey": der}
		case "TrentService.Sign":
			algorithm := "ECDSA_SHA_256"
			if _, ok := key.(*rsa.PrivateKey); ok {
				algorithm = "RSASSA_PKCS1_V1_5_SHA_256"
			}
			if request.MessageType != "DIGEST" || request.SigningAlgorithm != algorithm {
				t.Errorf("asked for %s of a %s", request.SigningAlgorithm, request.MessageType)
			}
			signature, err := key.Sign(rand.Reader, request.Message, crypto.SHA256)
			if err != nil {
				t.Error(err)
			}
			answer = map[string]any{"KeyId": id, "Signature": signature}
		default:
			t.Errorf("unknown operation %q", r.Header.Get("X-Amz-Target"))
		}
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestAWSKeySigns(t *testing.T) {
	const id = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
	for name, key := range cloudKeys(t) {
		t.Run(name, func(t *testing.T) {
			none := filepath.Join(t.TempDir(), "none")
			for variable, value := range map[string]string{
				"AWS_ENDPOINT_URL_KMS": fakeKMS(t, id, key).URL, "AWS_REGION": "eu-central-1",
				"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
				"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_CA_BUNDLE": "",
			} {
				t.Setenv(variable, value)
			}
			dir := t.TempDir()
			certify(t, dir, key.Public())
			id, err := openSigner(t, dir, "certificates: chain.pem\naws:\n  key: "+id+"\n")
			if err != nil {
				t.Fatal(err)
			}
			signCatalog(t, id)
			signProgram(t, id)
			if _, err := openSigner(t, dir, "certificates: chain.pem\naws: {key: other}\n"); err == nil || !strings.Contains(err.Error(), "Key does not exist") {
				t.Error(err)
			}
		})
	}
}

// fakeVault answers as Azure Key Vault does, and as the login before it.
func fakeVault(t *testing.T, key crypto.Signer, certificate []byte) *httptest.Server {
	encode := base64.RawURLEncoding.EncodeToString
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/tenant/oauth2/token" {
			if r.FormValue("client_id") != "client" || r.FormValue("client_secret") != "secret" {
				t.Errorf("login with %v", r.Form)
			}
			io.WriteString(w, `{"access_token":"entry","token_type":"Bearer","expires_in":"3600","expires_on":"4102444800","not_before":"0","resource":"vault"}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer entry" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		keyURL := server.URL + "/keys/codesign/7"
		var answer any
		switch r.URL.Path {
		case "/certificates/codesign/versions":
			answer = map[string]any{"value": []any{map[string]any{
				"id": server.URL + "/certificates/codesign/7", "attributes": map[string]any{"enabled": true, "nbf": 1700000000},
			}}}
		case "/certificates/codesign/7":
			answer = map[string]any{"id": server.URL + r.URL.Path, "kid": keyURL, "cer": certificate}
		case "/keys/codesign/7":
			jwk := map[string]string{"kid": keyURL}
			switch public := key.Public().(type) {
			case *rsa.PublicKey:
				jwk["kty"], jwk["n"], jwk["e"] = "RSA-HSM", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
			case *ecdsa.PublicKey:
				point, err := public.Bytes()
				if err != nil {
					t.Error(err)
				}
				jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC-HSM", "P-256", encode(point[1:33]), encode(point[33:])
			}
			answer = map[string]any{"key": jwk}
		case "/keys/codesign/7/sign":
			answer = map[string]string{"kid": keyURL, "value": encode(vaultSign(t, key, r.Body))}
		default:
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]any{"error": map[string]string{"code": "KeyNotFound", "message": "no such key"}}
		}
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return server
}

// vaultSign signs as JSON Web Signatures do: ECDSA gives two bare numbers.
func vaultSign(t *testing.T, key crypto.Signer, body io.Reader) []byte {
	var request struct{ Alg, Value string }
	if err := json.NewDecoder(body).Decode(&request); err != nil {
		t.Error(err)
	}
	digest, err := base64.RawURLEncoding.DecodeString(request.Value)
	if err != nil {
		t.Error(err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		signature, err := key.Sign(rand.Reader, digest, crypto.SHA256)
		if err != nil || request.Alg != "RS256" {
			t.Errorf("%s: %v", request.Alg, err)
		}
		return signature
	}
	r, s, err := ecdsa.Sign(rand.Reader, private, digest)
	if err != nil || request.Alg != "ES256" {
		t.Errorf("%s: %v", request.Alg, err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func TestAzureKeySigns(t *testing.T) {
	for name, key := range cloudKeys(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			leaf := certify(t, dir, key.Public())
			server := fakeVault(t, key, leaf)
			for variable, value := range map[string]string{
				"AZURE_ENVIRONMENT": "AZURESTACKCLOUD", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_CLIENT_SECRET": "secret",
				"AZURE_ENVIRONMENT_FILEPATH": write(t, dir, "environment.json",
					`{"activeDirectoryEndpoint":"`+server.URL+`/","resourceIdentifiers":{"keyVault":"vault"}}`),
				"AZURE_KEYVAULT_RESOURCE": "vault", "AZURE_BEARER_TOKEN_FILE": "",
			} {
				t.Setenv(variable, value)
			}
			for _, path := range []string{"/certificates/codesign", "/certificates/codesign/7", "/keys/codesign/7"} {
				id, err := openSigner(t, dir, "certificates: chain.pem\nazure:\n  key: "+server.URL+path+"\n")
				if err != nil {
					t.Fatal(err)
				}
				signCatalog(t, id)
			}
			if _, err := openSigner(t, dir, "azure: {key: "+server.URL+"/keys/codesign/7}\n"); err == nil || !strings.Contains(err.Error(), "without a certificate") {
				t.Error(err)
			}
			if _, err := openSigner(t, dir, "azure: {key: "+server.URL+"/keys/other/1}\n"); err == nil || !strings.Contains(err.Error(), "no such key") {
				t.Error(err)
			}
		})
	}
}

// The vault knows the certificate, and the file only its issuers.
func TestAzureCertificateComesFromTheVault(t *testing.T) {
	key := cloudKeys(t)["EC"]
	dir := t.TempDir()
	leaf := certify(t, dir, key.Public())
	server := fakeVault(t, key, leaf)
	pki := testpki.New(t)
	var issuers strings.Builder
	for _, c := range pki.Intermediate.Chain {
		if err := pem.Encode(&issuers, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "issuers.pem", issuers.String())
	credentials, err := json.Marshal(map[string]string{
		"clientId": "client", "clientSecret": "secret", "tenantId": "tenant", "subscriptionId": "s",
		"activeDirectoryEndpointUrl": server.URL + "/", "resourceManagerEndpointUrl": "https://management.azure.com/",
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "credentials.json", string(credentials))
	t.Setenv("AZURE_KEYVAULT_RESOURCE", "vault")
	id, err := openSigner(t, dir, "certificates: issuers.pem\nazure:\n  key: "+server.URL+"/certificates/codesign\n  credentials: credentials.json\n")
	if err != nil {
		t.Fatal(err)
	}
	signCatalog(t, id)
}
