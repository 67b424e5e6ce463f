package agent

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"firstday.dev/agent/credprov"
)

// eventRecord is what matters of a record of Windows' event log.
type eventRecord struct {
	number  uint32
	code    uint16
	source  string
	strings []string // that are put into the event's text
}

// An EVENTLOGRECORD begins with numbers of four bytes each: its length,
// "LfLe", its number, two times, and its id; then come, in two bytes each, the
// kind, how many strings there are, and more; then, at 36, where those begin.
// After 56 bytes comes the source's name.
const (
	recordNumber  = 8
	recordID      = 20
	recordCount   = 26
	recordStrings = 36
	recordSource  = 56

	// maxStrings is how many strings are read of a record.
	maxStrings = 64
)

// eachRecord goes through what ReadEventLog gave, until more says stop. Records
// that are damaged end it.
func eachRecord(b []byte, more func(eventRecord) bool) error {
	for len(b) > 0 {
		if len(b) < recordSource {
			return fmt.Errorf("%d bytes are no record of an event log", len(b))
		}
		length := binary.LittleEndian.Uint32(b)
		if length < recordSource || uint64(length) > uint64(len(b)) {
			return fmt.Errorf("a record of an event log has %d bytes of %d", length, len(b))
		}
		if !more(parseRecord(b[:length])) {
			return nil
		}
		b = b[length:]
	}
	return nil
}

// parseRecord reads a whole record. What leads out of it is not there.
func parseRecord(b []byte) eventRecord {
	r := eventRecord{number: binary.LittleEndian.Uint32(b[recordNumber:]), code: uint16(binary.LittleEndian.Uint32(b[recordID:]))}
	r.source, _ = takeString(b[recordSource:])
	at := binary.LittleEndian.Uint32(b[recordStrings:])
	if uint64(at) > uint64(len(b)) {
		return r
	}
	rest := b[at:]
	for range min(binary.LittleEndian.Uint16(b[recordCount:]), maxStrings) {
		var s string
		if s, rest = takeString(rest); rest == nil {
			return r
		}
		r.strings = append(r.strings, s)
	}
	return r
}

// takeString takes a string with its end, and gives what comes after it, nil if
// there is no end.
func takeString(b []byte) (s string, rest []byte) {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		unit := binary.LittleEndian.Uint16(b)
		if unit == 0 {
			return string(utf16.Decode(units)), b[2:]
		}
		units = append(units, unit)
	}
	return "", nil
}

// fault tells whether the record is of a crash of the sign-in screen in our file.
// There are two kinds: that of the crash itself, and that of the report on it,
// which may be written later and more than once. Both name the report.
func (r *eventRecord) fault() (f TileFault, is bool) {
	at := func(i int) string {
		if i < len(r.strings) {
			return r.strings[i]
		}
		return ""
	}
	var program, module, report string
	switch {
	case r.source == "Application Error" && r.code == 1000:
		program, module, report, f.DLL = at(0), at(3), at(12), at(11)
	case r.source == "Windows Error Reporting" && r.code == 1001:
		program, module, report = at(5), at(8), at(19)
	}
	f.ID = strings.Trim(strings.ToLower(fact(report)), "{}")
	if f.ID == "" {
		f.ID = fmt.Sprintf("record %d", r.number)
	}
	return f, strings.EqualFold(program, "LogonUI.exe") && strings.EqualFold(module, credprov.File)
}
