package kit

import (
	"context"
	"debug/buildinfo"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/ppkg/wim"
)

// shared is what kits have in common: who signs, and the files they carry as
// they lie in the packages. A kit that is built alone shares it with none.
type shared struct {
	identities
	work  string      // where shared files lie; empty: with the work of the one kit
	cache *wim.Cache  // of compressed files; nil: there is no further kit to spare work for
	begun *beginnings // of packages with files from the cache

	mu     sync.Mutex // guards what follows
	agents []part     // for Windows, signed
	mac    *part      // for Macs, likewise
	plugin *loginPlugin
	files  map[fileKey]*ppkg.File
	sums   map[fileKey]string
	infos  map[string]*buildinfo.BuildInfo
}

// fileKey tells whether a file is still the one that was read.
type fileKey struct {
	path     string
	size     int64
	modified time.Time
}

func newShared() *shared {
	return &shared{
		files: make(map[fileKey]*ppkg.File), sums: make(map[fileKey]string),
		infos: make(map[string]*buildinfo.BuildInfo),
		begun: &beginnings{states: make(map[wim.Prefix]*catalog.State)},
	}
}

// folder is where a file goes that is made once: a new folder for each attempt,
// so that one that failed is in nobody's way.
func (s *shared) folder(work string) (string, error) {
	if s.work == "" {
		return work, nil
	}
	return os.MkdirTemp(s.work, "agents-")
}

// sum hashes a file, unless that was done.
func (s *shared) sum(ctx context.Context, path string, progress func(n int64)) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	key := fileKey{path, info.Size(), info.ModTime()}
	if sum, done := s.sums[key]; done {
		return sum, nil
	}
	sum, err := sumFile(ctx, path, progress)
	if err == nil {
		s.sums[key] = sum
	}
	return sum, err
}

// packed gives the file of a part as packages carry it: compressed already, if
// further ones will.
func (s *shared) packed(ctx context.Context, p *part, o ppkg.Options) (*ppkg.File, error) {
	info, err := os.Stat(p.path)
	if err != nil {
		return nil, err
	}
	key := fileKey{p.path, info.Size(), info.ModTime()}
	if f := s.files[key]; f != nil {
		return f, nil
	}
	path := p.path
	f := fileOf(p.File, path, p.Size)
	if s.cache != nil {
		if err := f.Prepare(ctx, s.cache, o); err != nil {
			return nil, err
		}
	}
	s.files[key] = f
	return f, nil
}

// info is what the Go linker recorded in a program.
func (s *shared) info(path string) (*buildinfo.BuildInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if info := s.infos[path]; info != nil {
		return info, nil
	}
	info, err := buildinfo.ReadFile(path)
	if err == nil {
		s.infos[path] = info
	}
	return info, err
}

// put gives a file of the shared ones another name, in a kit's own work, and
// says under which it can be read from then on.
func (s *shared) put(from, to string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	if s.work == "" {
		return to, os.Rename(from, to)
	}
	if os.Link(from, to) == nil {
		return from, nil
	}
	in, err := os.Open(from) // the file system has no links
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, in)
	return from, errors.Join(err, out.Close())
}
