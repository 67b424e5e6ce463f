package macho

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"firstday.dev/internal/propertylist"
)

// ErrEntitlements: the entitlements are no property list, or hold what
// entitlements cannot.
var ErrEntitlements = errors.New("macho: invalid entitlements")

// The tags of entitlements in DER: a dictionary is a [16] of pairs, and the
// whole an [APPLICATION 16] of a version and a dictionary.
const (
	tagEntitlements = asn1.Tag(0x70)
	tagDictionary   = asn1.Tag(0xb0)

	entitlementsVersion = 1
)

// entitlementsForm is a way to write entitlements in DER.
type entitlementsForm struct {
	dictionary asn1.Tag
	yes        byte // how true is written
}

var (
	currentForm = entitlementsForm{tagDictionary, 0xff}
	// oldForm is what codesign wrote before Xcode 13: a set without a version,
	// and a truth that is none in DER.
	oldForm = entitlementsForm{asn1.SET, 1}
)

// entitlementsDER gives the form that macOS reads since version 12 of the
// entitlements, a property list in XML.
func entitlementsDER(xml []byte) ([]byte, error) {
	return encodeEntitlements(xml, func(b *cryptobyte.Builder, dictionary map[string]any) {
		b.AddASN1(tagEntitlements, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(entitlementsVersion)
			currentForm.add(b, dictionary)
		})
	})
}

// oldEntitlementsDER is for who verifies what was signed long ago.
func oldEntitlementsDER(xml []byte) ([]byte, error) {
	return encodeEntitlements(xml, func(b *cryptobyte.Builder, dictionary map[string]any) { oldForm.add(b, dictionary) })
}

func encodeEntitlements(xml []byte, add func(*cryptobyte.Builder, map[string]any)) ([]byte, error) {
	var dictionary map[string]any
	if err := propertylist.Unmarshal(xml, &dictionary); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntitlements, err)
	}
	var b cryptobyte.Builder
	add(&b, dictionary)
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntitlements, err)
	}
	return der, nil
}

func (f entitlementsForm) add(b *cryptobyte.Builder, value any) {
	switch v := value.(type) {
	case bool:
		truth := byte(0)
		if v {
			truth = f.yes
		}
		b.AddASN1(asn1.BOOLEAN, func(b *cryptobyte.Builder) { b.AddUint8(truth) })
	case uint64:
		b.AddASN1Uint64(v)
	case int64:
		b.AddASN1Int64(v)
	case string:
		b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(v)) })
	case []any:
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, element := range v {
				f.add(b, element)
			}
		})
	case map[string]any:
		b.AddASN1(f.dictionary, func(b *cryptobyte.Builder) {
			for _, key := range slices.Sorted(maps.Keys(v)) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					f.add(b, key)
					f.add(b, v[key])
				})
			}
		})
	default:
		b.SetError(fmt.Errorf("a value of type %T", value))
	}
}
