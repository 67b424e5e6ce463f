package local

import (
	"encoding/base64"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"firstday.dev/api"
)

const (
	keyAnchor = "anchor"
	// maxAnchorRows is how many there may be; rows of a whole one, of [base64Row], are
	// fewer.
	maxAnchorRows = 32
)

// anchorPairs writes certificates, one after the other, as rows of base64. What is too
// large, or has no room, is left out: by less than all of them nothing is known that
// was known by all.
func anchorPairs(list [][]byte, room int) (rows []pair) {
	der := slices.Concat(list...)
	if len(list) > api.MaxAnchors || len(der) > api.MaxAnchorBytes {
		return nil
	}
	for row := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(der)), base64Row) {
		rows = append(rows, pair{keyAnchor, string(row)})
		room -= len(keyAnchor) + len("=\n") + len(row)
	}
	if room < 0 {
		return nil
	}
	return rows
}

// readAnchors reads the certificates of a screen, of which it knows no more than where
// each ends.
func readAnchors(b *block) ([][]byte, error) {
	var text strings.Builder
	rows := 0
	for _, p := range b.pairs {
		if p.key != keyAnchor || p.value == "" {
			continue
		}
		if rows++; rows > maxAnchorRows || len(p.value)%4 != 0 || strings.ContainsAny(p.value, "\r\n") { // which the decoder would skip
			return nil, malformed("certificates that are none, or in more than %d rows", maxAnchorRows)
		}
		text.WriteString(p.value)
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text.String())
	if err != nil || len(der) > api.MaxAnchorBytes {
		return nil, malformed("certificates that are none, or of more than %d bytes", api.MaxAnchorBytes)
	}
	var list [][]byte
	for rest := cryptobyte.String(der); !rest.Empty(); {
		var one cryptobyte.String
		if len(list) == api.MaxAnchors || !rest.ReadASN1Element(&one, asn1.SEQUENCE) {
			return nil, malformed("certificates that are none, or more than %d", api.MaxAnchors)
		}
		list = append(list, one)
	}
	return list, nil
}
