package sheet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

// inUTF16 is a file as Excel writes "Unicode text".
func inUTF16(order binary.ByteOrder, text string) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		if err := binary.Write(&b, order, u); err != nil {
			panic(err)
		}
	}
	return b.String()
}

func TestSerials(t *testing.T) {
	want := []string{"5CD1", "5CD2"}
	for name, text := range map[string]string{
		"plain":              "5CD1\n5CD2\n",
		"no end":             "5CD1\n5CD2",
		"Windows' lines":     "5CD1\r\n5CD2\r\n",
		"old Macs' lines":    "5CD1\r5CD2\r",
		"blank lines":        "\n\n5CD1\n  \n,,\n5CD2\n\n",
		"spaces":             "  5CD1 \n\t5CD2\n",
		"header":             "Serial Number\n5CD1\n5CD2\n",
		"header in German":   "Gerät;Serien-Nr.\nLaptop;5CD1\nLaptop;5CD2\n",
		"header in Polish":   "Model\tNumer seryjny\nx\t5CD1\ny\t5CD2\n",
		"header S/N":         "\"Asset, old\",S/N\n\"a, b\",5CD1\n\"c\"\"d\",5CD2\n",
		"no header":          "5CD1;Laptop\n5CD2;Laptop\n",
		"byte order mark":    "\ufeffserial\n5CD1\n5CD2\n",
		"UTF-16":             inUTF16(binary.LittleEndian, "Modèle\tNuméro de série\r\nx\t5CD1\r\ny\t5CD2\r\n"),
		"UTF-16, big endian": inUTF16(binary.BigEndian, "serial\n5CD1\n5CD2\n"),
		"Windows-1252":       "Ger\xe4t;Seriennummer\nx;5CD1\ny;5CD2\n",
		"separator said":     "sep=;\r\nserial;a,b,c\r\n5CD1;x\r\n5CD2;y\r\n",
		"more columns below": "5CD1\n5CD2,x,y\n",
	} {
		got, err := Serials(strings.NewReader(text), "list.csv")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// Every mistake is told with the line that it is in.
func TestReadSerialsTellsMistakes(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":        {"", "list.csv holds no serial number"},
		"only a header":  {"serial\n", "list.csv holds no serial number"},
		"twice":          {"5CD1\n5CD2\n\n 5cd1\n", "list.csv:4: 5cd1 stands in line 1 already"},
		"a kelvin sign":  {"K1\n\u212a1\n", "list.csv:2: \u212a1 stands in line 1 already"},
		"missing":        {"name,serial\na,5CD1\nb\n", "list.csv:3: there is no serial number in this line"},
		"rounded":        {"5CD1\n1.23457E+11\n", "list.csv:2: Excel has rounded 1.23457E+11"},
		"too long":       {"5CD1\n" + strings.Repeat("1", 201), "list.csv:2: "},
		"invisible":      {"5CD1\n5CD\u202e2\n", "list.csv:2: "},
		"a quote":        {"sep=,\n5CD1\n5C\"D2\n", "list.csv:3: bare \" in non-quoted-field"},
		"no text":        {"5CD1\x00", "it is no text"},
		"half UTF-16":    {"\xff\xfe1", "in the middle"},
		"another header": {"Asset tag\n5CD1\n5CD2\n", "list.csv:1: no column is called serial number; \"Asset tag\""},
		"too many":       {strings.Repeat("\n", 10) + manySerials(api.MaxOrderQuantity+1), "more than 100000"},
		"many mistakes":  {"5CD1\n" + strings.Repeat("5CD1\n", 25), "there are 5 mistakes more"},
	} {
		got, err := Serials(strings.NewReader(test.text), "list.csv")
		if !errors.Is(err, ErrSerials) || !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%s: %d of them, %v", name, len(got), err)
		}
	}
}

func manySerials(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "5CD%07d\n", i)
	}
	return b.String()
}

func TestReadAHundredThousandSerials(t *testing.T) {
	for _, text := range []string{manySerials(api.MaxOrderQuantity), "serial\n" + manySerials(api.MaxOrderQuantity)} {
		if got, err := Serials(strings.NewReader(text), "list.csv"); err != nil || len(got) != api.MaxOrderQuantity {
			t.Errorf("%d of them, %v", len(got), err)
		}
	}
}

// What is read makes an order that the directory takes.
func FuzzSerials(f *testing.F) {
	for _, seed := range []string{"5CD1\n5CD2\n", "sep=;\nserial;x\n5CD1;y\n", inUTF16(binary.LittleEndian, "S/N\n1\n"), "\"a\nb\",1\n", "\ufeff", "\xff\xfe", "Ger\xe4t\t1\r2", "\"", "sep=,"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		serials, err := Serials(bytes.NewReader(data), "list.csv")
		if err != nil {
			if !errors.Is(err, ErrSerials) {
				t.Error(err)
			}
			return
		}
		n := api.NewOrder{PO: "PO-1", Quantity: len(serials), Serials: serials}
		if err := n.Check(); err != nil {
			t.Errorf("%q: %v", serials, err)
		}
	})
}
