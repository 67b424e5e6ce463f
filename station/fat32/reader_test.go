package fat32

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
)

// sparse is an image of which only some pieces are not zero.
type sparse struct {
	size   int64
	pieces map[int64][]byte
}

func (s *sparse) WriteAt(p []byte, at int64) (int, error) {
	s.pieces[at] = bytes.Clone(p)
	return len(p), nil
}

func (s *sparse) ReadAt(p []byte, at int64) (int, error) {
	n := int(min(int64(len(p)), max(0, s.size-at)))
	clear(p[:n])
	for begin, piece := range s.pieces {
		if from, to := max(at, begin), min(at+int64(n), begin+int64(len(piece))); from < to {
			copy(p[from-at:to-at], piece[from-begin:])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// small is an image of a few files.
func small(t testing.TB) (*sparse, *geometry) {
	t.Helper()
	s := &sparse{options.Size, make(map[int64][]byte)}
	tree := fstest.MapFS{"Acme.ppkg": {Data: bytes.Repeat([]byte("w"), 1200)}, "RUN": {Data: []byte("run")}, "logs/a.log": {Data: []byte("log")}}
	if err := Write(t.Context(), s, tree, options); err != nil {
		t.Fatal(err)
	}
	g, err := newGeometry(options.Size)
	if err != nil {
		t.Fatal(err)
	}
	return s, &g
}

// readAll looks at everything there is, but not for ever.
func readAll(v fs.FS, budget int) error {
	return fs.WalkDir(v, ".", func(path string, d fs.DirEntry, err error) error {
		if budget--; err != nil || budget < 0 {
			return errors.Join(err, fs.SkipAll)
		}
		if d.IsDir() {
			return nil
		}
		f, err := v.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(io.Discard, io.LimitReader(f, 1<<16))
		return err
	})
}

func TestDamagedVolumes(t *testing.T) {
	le := binary.LittleEndian
	_, g := small(t)
	boot, fat, root := g.sector(0), g.sector(g.reserved), g.cluster(rootCluster)
	// Clusters: 2 the root, 3-5 Acme.ppkg, 6 RUN, 7 logs, 8 a.log; entries of the
	// root: label, long, Acme.ppkg, RUN, long, logs.
	for name, damage := range map[string]func(s *sparse){
		"no signature":       func(s *sparse) { s.pieces[0][510] = 0 },
		"no partition":       func(s *sparse) { s.pieces[0][446+4] = 0 },
		"GPT":                func(s *sparse) { s.pieces[0][446+4] = typeGPT },
		"partition too long": func(s *sparse) { le.PutUint32(s.pieces[0][446+12:], 1<<31) },
		"partition far away": func(s *sparse) { le.PutUint32(s.pieces[0][446+8:], 1<<31) },
		"cut off":            func(s *sparse) { s.size = 1 << 20 },
		"very short":         func(s *sparse) { s.size = 100 },
		"large sectors":      func(s *sparse) { le.PutUint16(s.pieces[boot][11:], 4096) },
		"no clusters":        func(s *sparse) { s.pieces[boot][13] = 0 },
		"odd clusters":       func(s *sparse) { s.pieces[boot][13] = 3 },
		"FAT16":              func(s *sparse) { s.pieces[boot][13] = 128 },
		"small FAT":          func(s *sparse) { le.PutUint32(s.pieces[boot][36:], 1) },
		"huge FAT":           func(s *sparse) { le.PutUint32(s.pieces[boot][36:], 1<<31) },
		"more sectors":       func(s *sparse) { le.PutUint32(s.pieces[boot][32:], 1<<31) },
		"root at 0":          func(s *sparse) { le.PutUint32(s.pieces[boot][44:], 0) },
		"root far away":      func(s *sparse) { le.PutUint32(s.pieces[boot][44:], 1<<27) },
		"chain to nowhere":   func(s *sparse) { le.PutUint32(s.pieces[fat][3*4:], 1<<27) },
		"chain to free":      func(s *sparse) { le.PutUint32(s.pieces[fat][3*4:], 0) },
		"bad cluster":        func(s *sparse) { le.PutUint32(s.pieces[fat][3*4:], firstBad) },
		"chain too short":    func(s *sparse) { le.PutUint32(s.pieces[fat][4*4:], endOfChain) },
		"root in a circle": func(s *sparse) {
			le.PutUint32(s.pieces[fat][2*4:], 2)
			s.pieces[root] = bytes.Repeat([]byte{0xe5}, SectorSize)
		},
		"file at 0":        func(s *sparse) { le.PutUint16(s.pieces[root][2*entrySize+26:], 0) },
		"file far away":    func(s *sparse) { le.PutUint16(s.pieces[root][2*entrySize+20:], 0x0fff) },
		"folder in itself": func(s *sparse) { le.PutUint16(s.pieces[root][5*entrySize+26:], 2) },
		"a name twice": func(s *sparse) {
			copy(s.pieces[root][3*entrySize:], s.pieces[root][2*entrySize:3*entrySize])
			copy(s.pieces[root][entrySize:], s.pieces[root][2*entrySize:3*entrySize])
		},
		"a slash": func(s *sparse) { copy(s.pieces[root][3*entrySize:], "A/B") },
		"no name": func(s *sparse) { copy(s.pieces[root][3*entrySize:], "   ") },
	} {
		s, _ := small(t)
		damage(s)
		v, err := Open(s, s.size)
		if err == nil {
			err = readAll(v, 10_000)
		}
		if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is only odd is read: volumes without a partition table, removed files,
// names of DOS and NT, a long name that lost its file.
func TestOddVolumes(t *testing.T) {
	s, g := small(t)
	root := s.pieces[g.cluster(rootCluster)]
	root[entrySize+13]++                    // the long name of Acme.ppkg belongs to nobody
	root[2*entrySize+12] = 0x10             // and the short one's extension is small
	copy(root[3*entrySize:], "\x05\x80N\n") // in an unknown code page
	root[4*entrySize], root[5*entrySize] = 0xe5, 0xe5
	bare := &sparse{s.size - g.start, make(map[int64][]byte)}
	for at, piece := range s.pieces {
		if at >= g.start {
			bare.pieces[at-g.start] = piece
		}
	}
	v, err := Open(bare, bare.size)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(v, ".")
	if err != nil || len(entries) != 2 || entries[0].Name() != "ACME~1.ppk" && entries[1].Name() != "ACME~1.ppk" {
		t.Fatalf("%v, %v", entries, err)
	}
	if data, err := fs.ReadFile(v, "acme~1.PPK"); err != nil || string(data) != string(bytes.Repeat([]byte("w"), 1200)) {
		t.Errorf("%q, %v", data, err)
	}
	for _, name := range []string{"missing", "ACME~1.ppk/x", "../x", "/"} {
		if _, err := v.Open(name); err == nil {
			t.Errorf("%s can be opened", name)
		}
	}
}

// FuzzOpen puts hostile bytes where the reader looks first: the boot sector,
// the FAT, the root folder and the one after it.
func FuzzOpen(f *testing.F) {
	s, g := small(f)
	boot, fat, root := g.sector(0), g.sector(g.reserved), g.cluster(rootCluster)
	logs := g.cluster(7)
	f.Add(s.pieces[boot], s.pieces[fat], s.pieces[root], s.pieces[logs])
	f.Add(s.pieces[boot], []byte{}, s.pieces[root], s.pieces[root])
	f.Add(s.pieces[boot], s.pieces[fat], append(bytes.Repeat([]byte{0xe5}, 32), s.pieces[root]...), []byte{})
	f.Fuzz(func(t *testing.T, bootBytes, fatBytes, rootBytes, logsBytes []byte) {
		hostile := &sparse{options.Size, map[int64][]byte{
			0: s.pieces[0], boot: bootBytes[:min(len(bootBytes), SectorSize)], fat: fatBytes[:min(len(fatBytes), 1<<14)],
			root: rootBytes[:min(len(rootBytes), 1<<14)], logs: logsBytes[:min(len(logsBytes), 1<<14)],
		}}
		v, err := Open(hostile, hostile.size)
		if err != nil {
			return
		}
		_ = readAll(v, 200) // no panic, and an end
	})
}
