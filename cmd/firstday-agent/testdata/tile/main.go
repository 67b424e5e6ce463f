// Tile plays LogonUI, and a person in front of it, in tests under Wine: it signs in
// at the tile of the registered credential provider.
//
// usage: tile signin FOLDER    writes hidden.txt while there is no tile; once there is
//
//	one, presses the button, and writes picture.png and address.txt; once the
//	sign-in window is there too, window.txt; waits for number.txt, then writes
//	closed.txt when that window is gone, logon.bin, what Windows would log the person on with, and seen.txt,
//	all that the tile has shown
//
//	tile leave FOLDER    writes ready.txt at the button and, when the tile is
//	gone, ready.gone.txt; once it is back presses the button, and writes
//	waiting.txt and waiting.gone.txt
//
//	tile watch FOLDER    writes shown.txt, gone.txt and back.txt when the tile
//	comes and goes
//
//	tile pin FOLDER    signs in, too, without looking at the window, and chooses
//	a PIN
//
//	tile unlock FOLDER    signs in with the PIN, the second time with the right
//	one, and writes logon.bin
//
//	tile next FOLDER    is for who comes later: writes none.txt while there is
//	no tile, shown.txt and gone.txt when it comes and goes
//
//	tile hold FOLDER    has the provider loaded from loaded.txt on until it finds
//	end.txt; where it cannot be loaded, it ends with 3
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firstday.dev/agent"
	"firstday.dev/agent/credprov"
	"firstday.dev/internal/testcredprov"
)

const password = "Größe-Ωμέγα-9 密 😀"

func main() {
	what := map[string]func(*testcredprov.Host, string) error{"signin": signIn, "leave": leave, "watch": watch, "next": next, "pin": choosePIN, "unlock": unlock, "hold": hold}[os.Args[1]]
	err := run(what, os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	switch {
	case errors.Is(err, testcredprov.ErrClassNotAvailable):
		os.Exit(3)
	case err != nil:
		os.Exit(1)
	}
}

func run(what func(*testcredprov.Host, string) error, folder string) error {
	h, err := testcredprov.Load(credprov.CLSID)
	if err != nil {
		return err
	}
	service := func() uint32 { return testcredprov.ServiceProcess(agent.ServiceName) }
	if err := errors.Join(h.RunAsSystem(service), h.KnowNegotiate(), h.Begin(testcredprov.SignIn)); err != nil {
		return err
	}
	if err := what(h, folder); err != nil {
		return err
	}
	if left, err := h.End(); err != nil || left != 0 {
		return fmt.Errorf("in the end %d hold the provider, %w", left, err)
	}
	if err := testcredprov.Unload(); err != nil {
		return err
	}
	if h.Longest > 2*time.Second {
		return fmt.Errorf("a call took %v", h.Longest)
	}
	return nil
}

// start presses the button, and gives the address that the tile shows then.
func start(h *testcredprov.Host) (address string, err error) {
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Count == 1 }); err != nil {
		return "", err
	}
	if h.Tile.Default != testcredprov.NoDefault {
		return "", fmt.Errorf("the tile is the default one")
	}
	if _, err := h.Select(); err != nil {
		return "", err
	}
	if err := submit(h); err != nil {
		return "", err
	}
	return address, h.Wait(func(t *testcredprov.Tile) bool {
		address = addressOn(t)
		return address != ""
	})
}

// leave sees the tile go, twice.
func leave(h *testcredprov.Host, folder string) error {
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Count == 1 }); err != nil {
		return err
	}
	if err := gone(h, folder, "ready"); err != nil {
		return err
	}
	if _, err := start(h); err != nil {
		return err
	}
	return gone(h, folder, "waiting")
}

func gone(h *testcredprov.Host, folder, name string) error {
	if err := write(folder, name+".txt", nil); err != nil {
		return err
	}
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Count == 0 }); err != nil {
		return err
	}
	return write(folder, name+".gone.txt", nil)
}

// watch sees the tile come, go and come back.
func watch(h *testcredprov.Host, folder string) error {
	for i, name := range []string{"shown.txt", "gone.txt", "back.txt"} {
		if err := h.Wait(func(t *testcredprov.Tile) bool { return (t.Count == 1) == (i != 1) }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := write(folder, name, nil); err != nil {
			return err
		}
	}
	return nil
}

func hold(_ *testcredprov.Host, folder string) error {
	if err := write(folder, "loaded.txt", nil); err != nil {
		return err
	}
	_, err := await(folder, "end.txt", 3*time.Minute)
	return err
}

// next sees the tile come and go, from a beginning without.
func next(h *testcredprov.Host, folder string) error {
	if err := none(h, folder, "none.txt"); err != nil {
		return err
	}
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Count == 1 }); err != nil {
		return err
	}
	if err := write(folder, "shown.txt", nil); err != nil {
		return err
	}
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Count == 0 }); err != nil {
		return err
	}
	return write(folder, "gone.txt", nil)
}

func none(h *testcredprov.Host, folder, name string) error {
	if h.Tile.Count != 0 {
		return fmt.Errorf("there is a tile: %q", h.Tile.Shown())
	}
	return write(folder, name, nil)
}

func signIn(h *testcredprov.Host, folder string) error {
	screen, err := makeDesktop()
	if err != nil {
		return err
	}
	if err := none(h, folder, "hidden.txt"); err != nil {
		return err
	}
	shown := new(album)
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Count == 1 }); err != nil {
		return err
	}
	shown.take("The button", h)
	address, err := start(h)
	if err != nil {
		return err
	}
	shown.take("The code", h)
	if err := savePicture(h, folder); err != nil {
		return err
	}
	if err := write(folder, "address.txt", []byte(address)); err != nil {
		return err
	}
	code := address[strings.LastIndexByte(address, '=')+1:]
	texts, err := screen.await("the sign-in window with the code", func(texts []string) bool { return slices.Contains(texts, code) })
	if err != nil {
		return err
	}
	if err := write(folder, "window.txt", []byte(strings.Join(texts, "\n"))); err != nil {
		return err
	}
	number, err := await(folder, "number.txt", 30*time.Second)
	if err != nil {
		return err
	}
	if err := h.Wait(func(t *testcredprov.Tile) bool { return len(t.Inputs()) == 1 }); err != nil {
		return err
	}
	shown.take("The number", h)
	if err := answer(h, number); err != nil {
		return err
	}
	if err := h.Wait(func(t *testcredprov.Tile) bool { return len(t.Inputs()) == 2 }); err != nil {
		return err
	}
	shown.take("The password", h)
	if _, err := screen.await("no window", func(texts []string) bool { return texts == nil }); err != nil {
		return err
	}
	if err := write(folder, "closed.txt", nil); err != nil {
		return err
	}
	if err := answer(h, password, password); err != nil {
		return err
	}
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Logon }); err != nil {
		return err
	}
	shown.take("The end", h)
	if err := write(folder, "seen.txt", []byte(shown.String())); err != nil {
		return err
	}
	return logOn(h, folder)
}

const pin = "482915"

func choosePIN(h *testcredprov.Host, folder string) error {
	address, err := start(h)
	if err != nil {
		return err
	}
	if err := write(folder, "address.txt", []byte(address)); err != nil {
		return err
	}
	number, err := await(folder, "number.txt", 30*time.Second)
	if err != nil {
		return err
	}
	if err := answer(h, number); err != nil {
		return err
	}
	if err := answer(h, password, password); err != nil {
		return err
	}
	if err := says(h, "Choose a PIN"); err != nil {
		return err
	}
	if err := answer(h, pin, pin); err != nil {
		return err
	}
	return logOn(h, folder)
}

func unlock(h *testcredprov.Host, folder string) error {
	if err := says(h, "Sign in to ann"); err != nil {
		return err
	}
	if _, err := h.Select(); err != nil {
		return err
	}
	if err := answer(h, "482916"); err != nil {
		return err
	}
	if err := says(h, "That is not your PIN. 4 tries are left."); err != nil {
		return err
	}
	if err := answer(h, pin); err != nil {
		return err
	}
	return logOn(h, folder)
}

// says waits until the tile does.
func says(h *testcredprov.Host, text string) error {
	return h.Wait(func(t *testcredprov.Tile) bool { return t.Shows(text) })
}

// album is what the tile shows, step by step.
type album struct{ strings.Builder }

var kinds = map[int]string{
	testcredprov.LargeText: "large text", testcredprov.SmallText: "text", testcredprov.CommandLink: "link", testcredprov.EditText: "field",
	testcredprov.PasswordText: "secret field", testcredprov.TileImage: "picture", testcredprov.SubmitButton: "button",
}

func (a *album) take(step string, h *testcredprov.Host) {
	fmt.Fprintf(a, "%s\n", step)
	for _, f := range h.Tile.Fields {
		if f.State != 0 {
			fmt.Fprintf(a, "  %-12s  %s\n", kinds[f.Type], cmp.Or(f.Text, f.Label))
		}
	}
}

// answer types into the fields that are shown, once there are so many.
func answer(h *testcredprov.Host, texts ...string) error {
	if err := h.Wait(func(t *testcredprov.Tile) bool { return len(t.Inputs()) == len(texts) }); err != nil {
		return err
	}
	if err := h.Type(texts...); err != nil {
		return err
	}
	return submit(h)
}

func logOn(h *testcredprov.Host, folder string) error {
	if err := h.Wait(func(t *testcredprov.Tile) bool { return t.Logon }); err != nil {
		return err
	}
	s, _, err := h.Submit()
	if err != nil || s == nil {
		return fmt.Errorf("nobody is logged on: %w", err)
	}
	if s.Package != testcredprov.Negotiate || s.Provider.String() != credprov.CLSID {
		return fmt.Errorf("package %d of %s", s.Package, s.Provider)
	}
	return write(folder, "logon.bin", s.Bytes)
}

// savePicture writes what the tile shows as its picture.
func savePicture(h *testcredprov.Host, folder string) error {
	rows, err := h.Picture()
	if err != nil {
		return err
	}
	picture := image.NewRGBA(image.Rect(0, 0, len(rows[0]), len(rows)))
	for y, row := range rows {
		for x, p := range row {
			picture.Set(x, y, color.RGBA{uint8(p >> 16), uint8(p >> 8), uint8(p), 255})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return err
	}
	return write(folder, "picture.png", out.Bytes())
}

// addressOn puts together what a person would type on another device.
func addressOn(t *testcredprov.Tile) string {
	for i, f := range t.Fields {
		if f.State != 0 && strings.HasPrefix(f.Text, "https://") {
			return f.Text + "?code=" + t.Fields[i-1].Text
		}
	}
	return ""
}

func submit(h *testcredprov.Host) error {
	s, told, err := h.Submit()
	if err != nil || s != nil || told != "" {
		return fmt.Errorf("the tile says %q, %w", told, err)
	}
	return nil
}

// write writes a file that is there at once.
func write(folder, name string, data []byte) error {
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path+".part", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func await(folder, name string, patience time.Duration) (string, error) {
	for begun := time.Now(); time.Since(begun) < patience; {
		if data, err := os.ReadFile(filepath.Join(folder, name)); err == nil {
			return string(data), nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", fmt.Errorf("there is no %s", name)
}
