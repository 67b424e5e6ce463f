package ppkg_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"firstday.dev/ppkg"
)

func Example() {
	dir, err := os.MkdirTemp("", "ppkg")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "Acme.ppkg"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()

	p := &ppkg.Package{
		ID: uuid.New(), Name: "Acme", Version: "1.0", Owner: ppkg.ITAdmin,
		Settings: []ppkg.Setting{
			ppkg.ComputerName("ACME-%SERIAL%"),
			ppkg.User("rescue", "correct horse battery staple", ppkg.Administrators),
			ppkg.HideOobe(),
			ppkg.WLAN{SSID: "Office", Key: "wireless horse"}.Setting(),
			ppkg.Policy("Experience", "AllowCortana", ppkg.Integer, "0"),
			ppkg.Command{
				Name: "Setup", Line: "cmd /c setup.cmd",
				File: ppkg.NewFile("setup.cmd", []byte("echo hello\r\n")),
			}.Setting(),
		},
	}
	if err := ppkg.Write(context.Background(), f, p, ppkg.Options{Time: time.Now()}); err != nil {
		fmt.Println(err)
		return
	}

	info, err := f.Stat()
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := ppkg.Open(f, info.Size())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Commands() {
		fmt.Println(c.Context, c.Line, len(c.Files))
	}
	for _, s := range r.Secrets() {
		fmt.Println(s)
	}
	// Output:
	// PrimaryContext cmd /c setup.cmd 1
	// Accounts/Users/rescue/Password (hidden)
	// WiFi/Profile/Office/WlanXml (hidden)
}
