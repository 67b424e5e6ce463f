package wim_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"firstday.dev/ppkg/wim"
)

func ExampleWrite() {
	dir, err := os.MkdirTemp("", "wim")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "greetings.wim")

	image := &wim.Image{
		// os.DirFS gives a directory on disk.
		FS: fstest.MapFS{
			"docs/hello.txt": {Data: []byte("hello\r\n")},
			"docs/again.txt": {Data: []byte("hello\r\n")},
		},
		Properties: []wim.Property{{Name: "NAME", Value: "Greetings"}},
		Created:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Modified:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	if err := write(file, image); err != nil {
		fmt.Println(err)
		return
	}
	if err := read(file); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Greetings
	// "hello\r\n"
}

func write(name string, image *wim.Image) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return wim.Write(context.Background(), f, image, wim.Options{})
}

func read(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r, err := wim.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	if err := r.Verify(context.Background(), 0, nil); err != nil {
		return err
	}
	fmt.Println(r.Images[0].Property("NAME"))
	hello, err := r.Images[0].ReadFile("docs/again.txt")
	fmt.Printf("%q\n", hello)
	return err
}
