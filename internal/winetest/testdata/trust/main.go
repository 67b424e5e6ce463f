// Trust makes Windows trust a root certificate, in a file as DER.
//
// usage: trust FILE
package main

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

func main() {
	if err := trust(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "trust:", err)
		os.Exit(1)
	}
}

func trust(file string) error {
	der, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString("Root")
	if err != nil {
		return err
	}
	store, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM, 0, 0, windows.CERT_SYSTEM_STORE_LOCAL_MACHINE, uintptr(unsafe.Pointer(name)))
	if err != nil {
		return fmt.Errorf("opening the store of roots: %w", err)
	}
	root, err := windows.CertCreateCertificateContext(windows.X509_ASN_ENCODING, &der[0], uint32(len(der)))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := windows.CertAddCertificateContextToStore(store, root, windows.CERT_STORE_ADD_ALWAYS, nil); err != nil {
		return fmt.Errorf("adding the root: %w", err)
	}
	return windows.CertCloseStore(store, 0)
}
