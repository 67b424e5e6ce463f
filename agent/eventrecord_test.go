package agent

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// crashRecord is what Windows writes when a program has crashed; reportRecord is
// of its report on that. The order of their texts is Windows' own.
func crashRecord(number uint32, program, module, path, report string) eventRecord {
	return eventRecord{number, 1000, "Application Error", []string{
		program, "10.0.26100.1", "5a3e1b7c", module, "1.2.3.0", "6745f0aa", "c0000005", "0000000000001234", "1a2b", "01dc5b1f00000000",
		`C:\Windows\System32\LogonUI.exe`, path, report, "", "",
	}}
}

func reportRecord(number uint32, program, module, report string) eventRecord {
	return eventRecord{number, 1001, "Windows Error Reporting", []string{
		"", "0", "APPCRASH", "Not available", "0", program, "10.0.26100.1", "5a3e1b7c", module, "1.2.3.0", "6745f0aa", "c0000005", "0000000000001234", "", "",
		"", "", "", "0", report, "2147487744", "", "0",
	}}
}

// packed is the record as ReadEventLog gives it.
func (r eventRecord) packed() []byte {
	b := make([]byte, recordSource)
	put := func(s string) {
		for _, unit := range append(utf16.Encode([]rune(s)), 0) {
			b = binary.LittleEndian.AppendUint16(b, unit)
		}
	}
	put(r.source)
	put("ACME-1")
	binary.LittleEndian.PutUint32(b[recordStrings:], uint32(len(b)))
	for _, s := range r.strings {
		put(s)
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)+4))
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	copy(b[4:], "LfLe")
	binary.LittleEndian.PutUint32(b[recordNumber:], r.number)
	binary.LittleEndian.PutUint32(b[recordID:], uint32(r.code)|0x40000000)
	binary.LittleEndian.PutUint16(b[recordCount:], uint16(len(r.strings)))
	return b
}

func records(t testing.TB, b []byte) (all []eventRecord) {
	t.Helper()
	if err := eachRecord(b, func(r eventRecord) bool { all = append(all, r); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRecordsOfTheEventLog(t *testing.T) {
	want := []eventRecord{
		crashRecord(7, "LogonUI.exe", "firstday-credprov.dll", `C:\Grüße 😀.dll`, "{id}"),
		{number: 8, code: 1, source: "Firstday"},
		reportRecord(9, "LogonUI.exe", "firstday-credprov.dll", "id"),
	}
	var b []byte
	for _, r := range want {
		b = append(b, r.packed()...)
	}
	if diff := cmp.Diff(want, records(t, b), cmp.AllowUnexported(eventRecord{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	n := 0
	if err := eachRecord(b, func(eventRecord) bool { n++; return false }); err != nil || n != 1 {
		t.Errorf("it went on: %d, %v", n, err)
	}
	for _, damaged := range [][]byte{b[:len(b)-1], b[:10], make([]byte, 100)} {
		if err := eachRecord(damaged, func(eventRecord) bool { return true }); err == nil {
			t.Errorf("%d bytes are taken", len(damaged))
		}
	}
}

func TestFaultsOfTheTile(t *testing.T) {
	const path, id = `C:\Program Files\Firstday\Agent\1.2.3\firstday-credprov.dll`, "{2F8C4A10-0000-4000-8000-000000000001}"
	ours := TileFault{ID: "2f8c4a10-0000-4000-8000-000000000001", DLL: path}
	other := crashRecord(1, "LogonUI.exe", "firstday-credprov.dll", path, id)
	other.source = "Somebody"
	for name, c := range map[string]struct {
		record eventRecord
		want   *TileFault
	}{
		"crash":          {crashRecord(1, "LogonUI.exe", "firstday-credprov.dll", path, id), &ours},
		"in capitals":    {crashRecord(1, "LOGONUI.EXE", "FIRSTDAY-CREDPROV.DLL", path, id), &ours},
		"report":         {reportRecord(1, "LogonUI.exe", "firstday-credprov.dll", id), &TileFault{ID: ours.ID}},
		"without an id":  {crashRecord(12, "LogonUI.exe", "firstday-credprov.dll", path, ""), &TileFault{ID: "record 12", DLL: path}},
		"other module":   {crashRecord(1, "LogonUI.exe", "ntdll.dll", path, id), nil},
		"other program":  {crashRecord(1, "explorer.exe", "firstday-credprov.dll", path, id), nil},
		"other report":   {reportRecord(1, "LogonUI.exe", "ntdll.dll", id), nil},
		"other source":   {other, nil},
		"without a text": {eventRecord{number: 1, code: 1000, source: "Application Error"}, nil},
	} {
		f, is := c.record.fault()
		if is != (c.want != nil) || is && f != *c.want {
			t.Errorf("%s: %+v, %v", name, f, is)
		}
	}
}

func FuzzEventRecords(f *testing.F) {
	f.Add(crashRecord(7, "LogonUI.exe", "firstday-credprov.dll", `C:\x.dll`, "{id}").packed())
	f.Add(append(reportRecord(9, "LogonUI.exe", "firstday-credprov.dll", "id").packed(), eventRecord{number: 8, code: 1, source: "Firstday"}.packed()...))
	f.Add(make([]byte, recordSource))
	f.Fuzz(func(t *testing.T, b []byte) {
		seen := 0
		_ = eachRecord(b, func(r eventRecord) bool {
			seen++
			if len(r.strings) > maxStrings {
				t.Errorf("%d strings", len(r.strings))
			}
			if fault, is := r.fault(); is && (fault.ID == "" || len(fault.ID) > maxFact) {
				t.Errorf("%+v", fault)
			}
			return true
		})
		if seen > len(b)/recordSource {
			t.Errorf("%d records in %d bytes", seen, len(b))
		}
	})
}
