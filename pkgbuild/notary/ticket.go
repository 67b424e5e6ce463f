package notary

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"firstday.dev/pkgbuild/xar"
)

// hashNumbers are those of hashes in the names of tickets.
var hashNumbers = map[crypto.Hash]int{crypto.SHA1: 1, crypto.SHA256: 2}

// recordName is how a ticket is filed: by the beginning of the digest that the
// package's signature signs.
func recordName(a *xar.Archive) (string, error) {
	const length = 20
	number := hashNumbers[a.Checksum]
	if number == 0 || len(a.Digest) < length || a.CMS == nil {
		return "", fmt.Errorf("%w: the package is not signed as Apple wants it", ErrNoTicket)
	}
	return fmt.Sprintf("2/%d/%s", number, hex.EncodeToString(a.Digest[:length])), nil
}

// Ticket fetches the ticket of a package that was notarised. It needs no key.
func (c *Client) Ticket(ctx context.Context, a *xar.Archive) ([]byte, error) {
	name, err := recordName(a)
	if err != nil {
		return nil, err
	}
	ask, err := json.Marshal(map[string]any{"records": []map[string]string{{"recordName": name}}})
	if err != nil {
		return nil, err
	}
	address := c.TicketURL
	if address == "" {
		address = DefaultTicketURL
	}
	var answer struct {
		Records []struct {
			Name   string `json:"recordName"`
			Error  string `json:"serverErrorCode"`
			Fields struct {
				Ticket struct {
					Value string `json:"value"`
				} `json:"signedTicket"`
			} `json:"fields"`
		} `json:"records"`
	}
	err = c.try(ctx, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(ask))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := c.http().Do(request)
		if err != nil {
			return transient(ctx, err)
		}
		text, err := readAnswer(ctx, response)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			return fmt.Errorf("%w: its answer is not JSON", ErrService)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("asking for the ticket: %w", err)
	}
	if len(answer.Records) != 1 || answer.Records[0].Error != "" {
		reason := "it was not notarised, or Apple is not ready yet"
		if len(answer.Records) == 1 && answer.Records[0].Error != "NOT_FOUND" {
			reason = "the service says" + excerpt([]byte(answer.Records[0].Error))
		}
		return nil, fmt.Errorf("%w: %s", ErrNoTicket, reason)
	}
	ticket, err := base64.StdEncoding.DecodeString(answer.Records[0].Fields.Ticket.Value)
	if err != nil || answer.Records[0].Name != name {
		return nil, fmt.Errorf("%w: the answer is for something else", ErrService)
	}
	return ticket, checkTicket(ticket, a)
}

// checkTicket looks whether a ticket is one, and for this package.
func checkTicket(ticket []byte, a *xar.Archive) error {
	if !bytes.HasPrefix(ticket, []byte("s8ch")) || !bytes.Contains(ticket, a.Digest[:min(20, len(a.Digest))]) {
		return fmt.Errorf("%w: what there is is for another package", ErrNoTicket)
	}
	return nil
}
