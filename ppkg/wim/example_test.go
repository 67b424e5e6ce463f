package wim_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"firstday.dev/ppkg/wim"
)

func Example() {
	dir, err := os.MkdirTemp("", "wim")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "hello.wim"))
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	// os.DirFS gives a directory on disk.
	tree := fstest.MapFS{
		"docs/hello.txt": {Data: []byte("hello\r\n")},
		"docs/again.txt": {Data: []byte("hello\r\n")},
	}
	image := &wim.Image{
		FS:         tree,
		Properties: []wim.Property{{Name: "NAME", Value: "Greetings"}},
		Created:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Modified:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if err := wim.Write(context.Background(), f, image, wim.Options{}); err != nil {
		log.Fatal(err)
	}

	info, err := f.Stat()
	if err != nil {
		log.Fatal(err)
	}
	r, err := wim.NewReader(f, info.Size())
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Verify(context.Background(), 0, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Images[0].Property("NAME"))
	hello, err := fs.ReadFile(r.Images[0], "docs/hello.txt")
	fmt.Printf("%q %v\n", hello, err)
	// Output:
	// Greetings
	// "hello\r\n" <nil>
}
