package signing_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
)

// Sign the catalog of a package with a throw-away identity, then verify it.
func Example() {
	digests, err := catalog.Digest(strings.NewReader("the package"))
	if err != nil {
		panic(err)
	}
	cat, err := catalog.Create(digests, [16]byte{1}, time.Now())
	if err != nil {
		panic(err)
	}
	id, err := signing.Throwaway("Acme", time.Now())
	if err != nil {
		panic(err)
	}
	signed, err := signing.SignCatalog(context.Background(), cat, id, signing.Options{Description: "Acme laptops"})
	if err != nil {
		panic(err)
	}

	roots := x509.NewCertPool()
	roots.AddCert(id.Chain[1])
	report, err := signing.VerifyCatalog(signed, signing.VerifyOptions{Roots: roots})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Description)
	fmt.Println(report.Signer.Subject)
	// Output:
	// Acme laptops
	// CN=DO NOT TRUST Firstday test signer,OU=DO NOT TRUST,O=Acme
}
