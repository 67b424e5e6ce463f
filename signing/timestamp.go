package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// maxTimestamp bounds an authority's answer in bytes; real ones take about 6 KiB.
	maxTimestamp = 128 << 10
	// timestampTimeout is how long one authority may take.
	timestampTimeout = 30 * time.Second
	// clockSkew is how far an authority's clock and ours may differ. A day
	// forgives a wrong time zone, not a replayed or invented answer.
	clockSkew = 24 * time.Hour
)

// stamp asks the authorities in turn for a timestamp over a signature value
// and gives back the first token that stands every check.
func (a *Authorities) stamp(ctx context.Context, value []byte, now func() time.Time) ([]byte, error) {
	if len(a.URLs) == 0 {
		return nil, fmt.Errorf("%w: no authority is configured", ErrTimestamp)
	}
	errs := []error{ErrTimestamp}
	for _, address := range a.URLs {
		token, err := a.ask(ctx, address, value, now)
		if err == nil {
			return token, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		errs = append(errs, fmt.Errorf("%s: %w", withoutUser(address), err))
	}
	return nil, joined(errs)
}

// withoutUser is an address without a user's name and password.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "its address"
	}
	u.User = nil
	return u.String()
}

// joined puts errors on one line.
type joined []error

func (j joined) Unwrap() []error { return j }
func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return texts[0] + ": " + strings.Join(texts[1:], "; ")
}

// ask gets a timestamp from one authority and checks it.
func (a *Authorities) ask(ctx context.Context, address string, value []byte, now func() time.Time) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timestampTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(timestampRequest(digestOf(crypto.SHA256, value), nonce)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/timestamp-query")
	request.Header.Set("Accept", "application/timestamp-reply")
	client := a.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the authority answered %s", response.Status)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxTimestamp+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(answer) > maxTimestamp {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxTimestamp)
	}
	token, err := parseTimestampResponse(answer)
	if err != nil {
		return nil, err
	}
	t, err := verifyToken(token, value, nonce)
	if err != nil {
		return nil, err
	}
	if err := checkTimestamping(t.Authority); err != nil {
		return nil, err
	}
	if skew := t.Time.Sub(now()).Abs(); skew > clockSkew {
		return nil, fmt.Errorf("its clock says %s, which is %s off", t.Time.Format(time.RFC3339), skew.Round(time.Minute))
	}
	chain, err := t.verifyChain(a.Roots)
	if err != nil {
		return nil, err
	}
	// As strict as who verifies it later.
	if err := checkEmbedded(t.Authority, t.embedded, chain, a.Roots, t.Time); err != nil {
		return nil, err
	}
	return token, nil
}

// timestampRequest is a TimeStampReq (RFC 3161 §2.4.1) that asks for the
// authority's certificates too.
func timestampRequest(digest []byte, nonce *big.Int) []byte {
	return sequence(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // MessageImprint
			addAlgorithm(b, oidSHA256)
			b.AddASN1OctetString(digest)
		})
		b.AddASN1BigInt(nonce)
		b.AddASN1Boolean(true)
	})
}

// parseTimestampResponse takes the token out of a TimeStampResp (RFC 3161
// §2.4.2).
func parseTimestampResponse(der []byte) ([]byte, error) {
	var response, info, token cryptobyte.String
	var status int64
	in := cryptobyte.String(der)
	if !in.ReadASN1(&response, asn1.SEQUENCE) || !in.Empty() || !response.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1Integer(&status) {
		return nil, errors.New("the answer is not a timestamp")
	}
	if status != 0 && status != 1 { // granted, grantedWithMods
		return nil, fmt.Errorf("the authority refused with status %d%s", status, statusText(info))
	}
	if !response.ReadASN1Element(&token, asn1.SEQUENCE) || !response.Empty() {
		return nil, errors.New("the answer holds no timestamp")
	}
	return token, nil
}

// statusText is the reason an authority gives, made fit for a terminal.
func statusText(info cryptobyte.String) string {
	var texts, text cryptobyte.String
	if !info.ReadASN1(&texts, asn1.SEQUENCE) || !texts.ReadASN1(&text, asn1.UTF8String) {
		return ""
	}
	return fmt.Sprintf(" (%.200q)", string(text))
}
