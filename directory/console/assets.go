package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assetPath is where styles, scripts and pictures are. Their addresses hold a part
// of their checksum: browsers keep them for ever.
const assetPath = Path + "assets/"

type asset struct {
	kind            string
	plain, squeezed []byte
	sum             string
}

// assets are read once; a mistake in one ends every program that has them.
var assets = readAssets()

func readAssets() map[string]*asset {
	all := make(map[string]*asset)
	names, err := fs.Glob(assetFiles, "assets/*")
	if err != nil {
		panic(err) // of the pattern
	}
	for _, name := range names {
		plain, err := assetFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		var squeezed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&squeezed, gzip.BestCompression)
		_, _ = z.Write(plain) // in memory
		_ = z.Close()
		sum := sha256.Sum256(plain)
		kind := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)]
		if kind == "" {
			kind = "text/plain; charset=utf-8"
		}
		all[path.Base(name)] = &asset{kind, plain, squeezed.Bytes(), hex.EncodeToString(sum[:8])}
	}
	return all
}

// assetAddress is that of a file of assets/.
func assetAddress(name string) string { return assetPath + assets[name].sum + "/" + name }

func serveAssets() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sum, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, assetPath), "/")
		a := assets[name]
		if a == nil {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", a.kind)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Vary", "Accept-Encoding")
		if sum == a.sum {
			header.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			header.Set("Cache-Control", "no-store") // of another version
		}
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			header.Set("Content-Encoding", "gzip")
			_, _ = w.Write(a.squeezed)
			return
		}
		_, _ = w.Write(a.plain)
	}
}
