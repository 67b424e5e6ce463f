package agent

import (
	"bytes"
	"encoding/binary"
)

// smbiosSystem is the structure "System Information" of the firmware's tables.
type smbiosSystem struct{ manufacturer, product, serial string }

// Of a structure: its type, its length without strings, and a handle of two
// bytes come first (DMTF DSP0134, "SMBIOS structure header").
const (
	smbiosHeader      = 4
	smbiosSystemType  = 1
	smbiosEnd         = 127
	smbiosSystemNeeds = 8 // bytes up to the serial number's index
)

// parseSMBIOS finds the system in tables as GetSystemFirmwareTable gives them:
// eight bytes of header with the tables' length at the end of it, then the
// tables. What is damaged it leaves out.
func parseSMBIOS(raw []byte) (s smbiosSystem) {
	if len(raw) < 8 {
		return s
	}
	length := int64(binary.LittleEndian.Uint32(raw[4:]))
	tables := raw[8:]
	tables = tables[:min(length, int64(len(tables)))]
	for len(tables) >= smbiosHeader {
		kind, size := tables[0], int(tables[1])
		if size < smbiosHeader || size > len(tables) || kind == smbiosEnd {
			return s
		}
		end := bytes.Index(tables[size:], []byte{0, 0})
		if end < 0 {
			return s
		}
		if kind == smbiosSystemType && size >= smbiosSystemNeeds {
			texts := bytes.Split(tables[size:size+end], []byte{0})
			text := func(index byte) string {
				if index == 0 || int(index) > len(texts) {
					return ""
				}
				return string(texts[index-1])
			}
			return smbiosSystem{text(tables[4]), text(tables[5]), text(tables[7])}
		}
		tables = tables[size+end+2:]
	}
	return s
}
