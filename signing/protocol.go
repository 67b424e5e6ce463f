package signing

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// protocolVersion is that of the external signers' protocol; the package
// comment describes it.
const protocolVersion = 1

const (
	maxLine     = 256 << 10
	openTimeout = time.Minute
	signTimeout = 2 * time.Minute
	exitTimeout = 5 * time.Second
)

type signerRequest struct {
	Version int    `json:"version"`
	Method  string `json:"method"`
	Hash    string `json:"hash,omitempty"`
	Digest  []byte `json:"digest,omitempty"`
}

type signerAnswer struct {
	Certificates [][]byte `json:"certificates,omitempty"`
	Signature    []byte   `json:"signature,omitempty"`
	Error        string   `json:"error,omitempty"`
}

var errProtocol = errors.New("it does not speak the signer protocol")

// readLine reads one JSON object on one line.
func readLine(r *bufio.Reader, v any) error {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return fmt.Errorf("%w: a line of more than %d bytes", errProtocol, maxLine)
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	return nil
}

func writeLine(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// readChain takes the certificates out of the answer to "open".
func (a *signerAnswer) readChain() ([]*x509.Certificate, error) {
	if len(a.Certificates) == 0 || len(a.Certificates) > maxCertificates {
		return nil, fmt.Errorf("%w: it sent %d certificates", errProtocol, len(a.Certificates))
	}
	var chain []*x509.Certificate
	for i, der := range a.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: its certificate %d: %w", errProtocol, i+1, err)
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// ServeSigner is the other side: it answers requests from r on w with the
// identity until r ends. Programs written in Go need nothing else to be an
// external signer.
func ServeSigner(r io.Reader, w io.Writer, id *Identity) error {
	in := bufio.NewReader(r)
	for {
		var request signerRequest
		switch err := readLine(in, &request); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := writeLine(w, id.answer(&request)); err != nil {
			return err
		}
	}
}

// RefuseSigner answers the first request with an error, for programs that
// cannot get at their key.
func RefuseSigner(r io.Reader, w io.Writer, reason error) error {
	var request signerRequest
	if err := readLine(bufio.NewReader(r), &request); err != nil {
		return err
	}
	return writeLine(w, &signerAnswer{Error: reason.Error()})
}

func (id *Identity) answer(request *signerRequest) *signerAnswer {
	refuse := func(format string, args ...any) *signerAnswer {
		return &signerAnswer{Error: fmt.Sprintf(format, args...)}
	}
	if request.Version != protocolVersion {
		return refuse("version %d of the protocol is unknown", request.Version)
	}
	switch request.Method {
	case "open":
		answer := new(signerAnswer)
		for _, c := range id.Chain {
			answer.Certificates = append(answer.Certificates, bytes.Clone(c.Raw))
		}
		return answer
	case "sign":
		if request.Hash != "SHA-256" || len(request.Digest) != crypto.SHA256.Size() {
			return refuse("only SHA-256 is supported")
		}
		value, err := id.Signer.Sign(rand.Reader, request.Digest, crypto.SHA256)
		if err != nil {
			return refuse("signing: %v", err)
		}
		return &signerAnswer{Signature: value}
	}
	return refuse("method %q is unknown", request.Method)
}
