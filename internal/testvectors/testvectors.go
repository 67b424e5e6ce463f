// Package testvectors gives what services of the local protocol may send: the
// vectors of agent/local/testdata, and streams made of them that nobody should.
package testvectors

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Service gives what services may send, by name, and what surfaces understand.
// folder is agent/local/testdata.
func Service(t testing.TB, folder string) (streams map[string][]byte, want map[string]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "service", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	streams, want = make(map[string][]byte), make(map[string]string)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		script, outcome, _ := strings.Cut(string(data), "---\n")
		want[name] = strings.TrimSpace(outcome)
		for line := range strings.Lines(script) {
			rest, ok := strings.CutPrefix(strings.TrimSpace(line), "send ")
			if !ok {
				continue
			}
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			text, _ := strconv.Unquote(quoted)
			times := 1
			if count := strings.TrimSpace(rest[len(quoted):]); count != "" {
				if times, err = strconv.Atoi(count); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			}
			streams[name] = append(streams[name], strings.Repeat(text, times)...)
		}
	}
	return streams, want
}

// Frames gives what a hostile service may send, each frame after its length in
// four bytes: noise, and vectors with a few bytes changed, half of them such as a
// surface understands.
func Frames(t testing.TB, folder string, seed uint64, count int) (in []byte) {
	t.Helper()
	streams, want := Service(t, folder)
	var small, good [][]byte
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		if len(streams[name]) >= 6000 {
			continue
		}
		small = append(small, streams[name])
		begun := strings.HasPrefix(want[name], "screen ") || strings.HasPrefix(want[name], "ok ") && !strings.Contains(want[name], "ok logon")
		if begun && strings.HasSuffix(want[name], "\nend") {
			good = append(good, streams[name])
		}
	}
	random := rand.New(rand.NewPCG(6, seed))
	for i := range count {
		var frame []byte
		switch i % 4 {
		case 0:
			frame = make([]byte, random.IntN(2000))
			for at := range frame {
				frame[at] = byte(random.Uint32())
			}
		case 1:
			frame = damaged(random, slices.Concat(small[random.IntN(len(small))], small[random.IntN(len(small))]))
		default:
			frame = damaged(random, slices.Concat(good[random.IntN(len(good))], good[random.IntN(len(good))]))
		}
		in = binary.LittleEndian.AppendUint32(in, uint32(len(frame)))
		in = append(in, frame...)
	}
	return in
}

// damaged changes a few bytes, to such as mean something above all.
func damaged(random *rand.Rand, stream []byte) []byte {
	const odd = "\n\n= %1aF0\x00\x1f\x7f\x80\xc3\xe0\xf0"
	stream = slices.Clone(stream)
	for range random.IntN(4) {
		at := random.IntN(len(stream) + 1)
		switch c := odd[random.IntN(len(odd))]; {
		case random.IntN(3) == 0 || at == len(stream):
			stream = slices.Insert(stream, at, c)
		case random.IntN(2) == 0:
			stream[at] = c
		default:
			stream = slices.Delete(stream, at, min(len(stream), at+1+random.IntN(3)))
		}
	}
	return stream
}
