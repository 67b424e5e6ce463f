package api

import "log/slog"

// Secret is a string that does not show itself: printing or logging it gives a
// placeholder. Only encoding it to JSON, for the file or the wire it belongs
// in, or [Secret.Reveal] gives the value.
type Secret string

const redacted = "[secret]"

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// GoString returns a placeholder, for %#v.
func (s Secret) GoString() string { return redacted }

// LogValue keeps the value out of structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
