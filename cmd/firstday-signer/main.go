// Firstday-signer signs for firstday with a key that is not in a file: in a
// hardware token that speaks PKCS #11 or in a cloud key service. It is a
// program of its own because such keys need cgo and large libraries, which
// firstday and everybody else can do without.
//
// In firstday.yaml:
//
//	signing:
//	  signer: [firstday-signer, signer.yaml]
//
// See [Config] for what stands in signer.yaml. The program speaks the protocol
// that package firstday.dev/signing describes, on standard input and output; a
// person has nothing to type here, but can try a configuration:
//
//	firstday-signer signer.yaml </dev/null
//
// Built with CGO_ENABLED=0 it knows the cloud services only.
package main

import (
	"flag"
	"fmt"
	"os"

	"firstday.dev/signing"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: firstday-signer CONFIG\n\nThe configuration says where the key is. Put this program into firstday.yaml:\n\n\tsigning:\n\t  signer: [firstday-signer, signer.yaml]\n")
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "firstday-signer:", err)
		os.Exit(1)
	}
}

// serve answers requests until standard input ends. Why there is no identity
// is the answer to the first of them, so that whoever asked can show it; it is
// told here only if nobody asks.
func serve(file string) error {
	id, err := open(file)
	if err != nil {
		if signing.RefuseSigner(os.Stdin, os.Stdout, err) == nil {
			os.Exit(1)
		}
		return err
	}
	defer id.Close()
	return signing.ServeSigner(os.Stdin, os.Stdout, id.Identity)
}
