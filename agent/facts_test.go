package agent

import (
	"encoding/binary"
	"strings"
	"testing"
)

func TestFactsAreOneLineOfText(t *testing.T) {
	for in, want := range map[string]string{
		"\tDell  Inc.\r\n":             "Dell Inc.",
		"a\x00b\x1b[2J":                "a b [2J",
		"\xffÄ":                        "Ä",
		strings.Repeat("ä", maxFact):   strings.Repeat("ä", maxFact/2),
		"a" + strings.Repeat("ä", 200): "a" + strings.Repeat("ä", 99),
	} {
		if got := fact(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"To be filled by O.E.M.": "", "None ": "", "Default string": "", "PF3ABC12": "PF3ABC12"} {
		if got := meaningful(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// tables make what GetSystemFirmwareTable gives, of structures and their
// strings.
func tables(structures ...string) []byte {
	body := strings.Join(structures, "")
	head := binary.LittleEndian.AppendUint32([]byte{0, 3, 4, 0}, uint32(len(body)))
	return append(head, body...)
}

const (
	biosStructure   = "\x00\x06\x00\x00\x01\x02" + "Maker\x00v1\x00\x00"
	systemStructure = "\x01\x1b\x01\x00\x01\x02\x00\x03" + "0123456789abcdef" + "\x06\x00\x00" + "LENOVO\x0021AH\x00PF3ABC12\x00\x00"
	bareStructure   = "\x02\x04\x02\x00\x00\x00"
	endStructure    = "\x7f\x04\x03\x00\x00\x00"
)

func TestSMBIOS(t *testing.T) {
	whole := smbiosSystem{"LENOVO", "21AH", "PF3ABC12"}
	for name, test := range map[string]struct {
		raw  []byte
		want smbiosSystem
	}{
		"whole":          {tables(biosStructure, bareStructure, systemStructure, endStructure), whole},
		"no end":         {tables(systemStructure), whole},
		"no system":      {tables(biosStructure, endStructure), smbiosSystem{}},
		"behind the end": {tables(endStructure, systemStructure), smbiosSystem{}},
		"nothing":        {nil, smbiosSystem{}},
		"a length of 2":  {tables("\x01\x02\x00\x00"), smbiosSystem{}},
		"no strings":     {tables("\x01\x08\x01\x00\x01\x02\x00\x03"), smbiosSystem{}},
		"fewer strings":  {tables("\x01\x08\x01\x00\x01\x02\x00\x09" + "A\x00\x00"), smbiosSystem{manufacturer: "A"}},
		"a short table":  {append(tables(systemStructure)[:20:20], 0, 0), smbiosSystem{}},
	} {
		if got := parseSMBIOS(test.raw); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func FuzzSMBIOS(f *testing.F) {
	f.Add(tables(biosStructure, systemStructure, endStructure))
	f.Fuzz(func(_ *testing.T, raw []byte) { parseSMBIOS(raw) })
}
