package packages

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"firstday.dev/api"
)

var update = flag.Bool("update", false, "rewrite the table of docs/packages.md")

// otherFaults are those that tests of their own make happen.
var otherFaults = []struct {
	name string
	code api.Code // empty: the job is built nevertheless
}{
	{"the disk where kits are built is full", api.CodePackageDisk},
	{"the disk of the store is full", api.CodePackageStoreFull},
	{"the store holds as much as it may", api.CodePackageStoreFull},
	{"an uploaded installer is lost or changed in the store", api.CodePackagePayload},
	{"five workers are lost over one job", api.CodePackageWorkersLost},
	{"the directory is restored from a backup", api.CodePackageRestored},
	{"a worker is killed, 50 times at any moment", ""},
	{"a worker is told to end", ""},
	{"the database goes away for a moment, or for longer than anybody is waited for", ""},
}

// The document has what TestFaults and its siblings prove.
func TestFaultTable(t *testing.T) {
	const file, begin = "../../docs/packages.md", "| what goes wrong | "
	var b strings.Builder
	b.WriteString(begin + "the job says | what to do |\n|---|---|---|\n")
	row := func(name string, code api.Code) {
		if code == "" {
			fmt.Fprintf(&b, "| %s | nothing: another worker builds the kit | |\n", name)
			return
		}
		p := api.Explain(code)
		fmt.Fprintf(&b, "| %s | `%s`: %s | %s |\n", name, code, p.IT, p.Remedy)
	}
	for _, f := range faults {
		row(f.name, f.code)
	}
	for _, f := range otherFaults {
		row(f.name, f.code)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, table, _ := strings.Cut(string(data), begin)
	if *update {
		if err := os.WriteFile(file, []byte(text+b.String()), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
		return
	}
	if begin+table != b.String() {
		t.Errorf("%s is out of date: go test ./directory/packages -run FaultTable -update", file)
	}
}
