package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// given is a certificate in files, as a CA's tool or another ACME client keeps
// them.
type given struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	shown   *tls.Certificate
	stamp   [2]stamp  // of the files when they were read last, well or not
	checked time.Time // when the files were looked at last
}

// stamp tells a file from what it was before.
type stamp struct {
	changed time.Time
	size    int64
}

const (
	// givenPause is how long the files are not looked at again.
	givenPause = 10 * time.Second
	// givenCare is how often its end is looked at.
	givenCare = 12 * time.Hour
	// maxGiven bounds each file, in bytes.
	maxGiven = 1 << 20
)

func (d *Directory) openGiven() (*given, error) {
	g := &given{certFile: d.Web.CertFile, keyFile: d.Web.KeyFile, log: d.Log, checked: time.Now()}
	var err error
	if g.stamp, err = g.stamps(); err != nil {
		return nil, err
	}
	if g.shown, err = g.read(); err != nil {
		return nil, err
	}
	for _, name := range d.Names {
		if err := g.shown.Leaf.VerifyHostname(name); err != nil {
			d.Log.Warn("browsers will not trust the given certificate for this name", "name", name, "error", err)
		}
	}
	return g, nil
}

func (g *given) source() string { return "given" }

func (g *given) notAfter() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown.Leaf.NotAfter
}

func (g *given) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.checked) >= givenPause {
		g.checked = now
		g.refresh()
	}
	return g.shown, nil
}

func (g *given) care(context.Context) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refresh()
	return givenCare
}

// refresh reads files that have changed. While they are no good, and between the
// change of one and of the other, what was read before stays.
func (g *given) refresh() {
	stamps, err := g.stamps()
	if err != nil {
		stamps = [2]stamp{} // to be told of it once
	}
	if stamps == g.stamp {
		return
	}
	g.stamp = stamps
	var next *tls.Certificate
	if err == nil {
		next, err = g.read()
	}
	if err != nil {
		g.log.Warn("the given certificate cannot be read anew; the one before stays", "error", err)
		return
	}
	g.shown = next
	g.log.Info("the given certificate was read anew", "end", next.Leaf.NotAfter)
}

func (g *given) stamps() (stamps [2]stamp, err error) {
	for i, file := range []string{g.certFile, g.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return stamps, err
		}
		if !info.Mode().IsRegular() {
			return stamps, &fs.PathError{Op: "read", Path: file, Err: errors.New("it is no file")}
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

// Errors of given certificates.
var (
	// ErrKeyOpen: everybody on this machine may read a private key.
	ErrKeyOpen = errors.New("others may read the private key")
	// ErrPair: the files hold no certificate with its key.
	ErrPair = errors.New("no certificate with its key")
)

func (g *given) read() (*tls.Certificate, error) {
	certs, _, err := readBounded(g.certFile)
	if err != nil {
		return nil, err
	}
	key, info, err := readBounded(g.keyFile)
	if err != nil {
		return nil, err
	}
	if openToOthers(info) {
		return nil, fmt.Errorf("%s: %w", g.keyFile, ErrKeyOpen)
	}
	pair, err := tls.X509KeyPair(certs, key)
	clear(key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w: %w", g.certFile, g.keyFile, ErrPair, err)
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", g.certFile, err)
		}
	}
	return &pair, nil
}

func readBounded(path string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxGiven+1))
	if err == nil && len(data) > maxGiven {
		err = fmt.Errorf("%s has more than %d bytes", path, maxGiven)
	}
	return data, info, err
}
