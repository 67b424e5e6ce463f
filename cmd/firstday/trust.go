package main

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"firstday.dev/kit"
)

// trust is whom a command shall trust.
type trust struct {
	roots          []string
	timestampRoots []string
}

func (t *trust) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&t.roots, "root", nil, "trust signers that lead to these certificates (PEM file) instead of the system's")
	f.StringArrayVar(&t.timestampRoots, "timestamp-root", nil, "likewise for timestamps (default: those of --root)")
	_ = c.MarkFlagFilename("root", "pem", "crt", "cer")
	_ = c.MarkFlagFilename("timestamp-root", "pem", "crt", "cer")
}

func (t *trust) options() (o kit.VerifyOptions, err error) {
	if o.Roots, err = pool(t.roots); err != nil {
		return o, err
	}
	if o.TimestampRoots, err = pool(t.timestampRoots); err != nil {
		return o, err
	}
	if o.TimestampRoots == nil {
		o.TimestampRoots = o.Roots
	}
	return o, nil
}

// pool reads certificates; nil if no file is named.
func pool(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	p := x509.NewCertPool()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !p.AppendCertsFromPEM(data) {
			return nil, usageError{fmt.Errorf("%s holds no PEM certificate", file)}
		}
	}
	return p, nil
}
