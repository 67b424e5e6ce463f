package kit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"firstday.dev/config"
	"firstday.dev/internal/testagents"
	"firstday.dev/kit"
)

// A folder with a configuration, and with the agents that come with firstday;
// [kit.FindAgents] finds those of an installation.
func exampleFolder() (dir, agents string, err error) {
	if dir, err = os.MkdirTemp("", "firstday-example-*"); err != nil {
		return "", "", err
	}
	for name, content := range map[string]string{
		"firstday.yaml": `version: 1
organisation: {name: Acme}
directory: {url: "https://directory.acme.example"}
connectKey: {file: connect.key}
`,
		"connect.key": "fdk_from-the-directory\n",
		"customers.csv": `folder,organisation.name,windows.computerName
berlin,Acme Berlin,BER-%SERIAL%
lyon,Acme Lyon,LYO-%SERIAL%
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return "", "", err
		}
	}
	agents, err = testagents.Folder()
	return dir, agents, err
}

// A program of one's own builds a kit and looks at it as its users will.
func ExampleBuild() {
	dir, agents, err := exampleFolder()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	c, err := config.Load(filepath.Join(dir, "firstday.yaml"))
	if err != nil {
		fmt.Println(err) // every mistake, with its line
		return
	}
	output := filepath.Join(dir, "kit")
	m, err := kit.Build(ctx, kit.Options{
		Config: c, Platforms: []kit.Platform{kit.Windows}, Agents: agents, Output: output,
		Builder: "example", Time: time.Now(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := kit.Verify(ctx, output, kit.VerifyOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Packages[0].File, "verifies:", v.OK())
	// Output: Acme.ppkg verifies: true
}

// A kit for each row of a table, of one template. What they carry is compressed
// once; run again, the same builds only what is missing.
func ExampleBatch() {
	dir, agents, err := exampleFolder()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	sheet, err := config.LoadSheet(filepath.Join(dir, "firstday.yaml"), filepath.Join(dir, "customers.csv"))
	if err != nil {
		fmt.Println(err)
		return
	}
	row := func(i int) (kit.Row, error) {
		c, err := sheet.Config(i)
		return kit.Row{Name: sheet.Rows[i].Folder, Line: sheet.Rows[i].Line, Config: c}, err
	}
	first, err := row(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := kit.NewBatch(ctx, kit.Options{
		Config: first.Config, Platforms: []kit.Platform{kit.Windows}, Agents: agents, Output: filepath.Join(dir, "kits"),
		Builder: "example", Time: time.Now(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer batch.Close()
	for range 2 {
		report, err := batch.BuildAll(ctx, len(sheet.Rows), row)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, k := range report.Kits {
			fmt.Println(k.Kit, k.Organisation, k.Result)
		}
	}
	// Output:
	// berlin Acme Berlin built
	// lyon Acme Lyon built
	// berlin Acme Berlin kept
	// lyon Acme Lyon kept
}
