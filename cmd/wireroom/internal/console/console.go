// Package console is the demonstration page of the gateway: plain HTML, CSS
// and JavaScript modules, embedded in the binary, which show the event classes
// and the events as they come, and post one.
//
// The page is an ordinary client: it asks POST /session for a client token and
// then speaks WAMP over /ws, at the origin from which it was loaded. It loads
// nothing from anywhere else, and its Content-Security-Policy says so.
//
// [Handler] starts no goroutine, keeps no state and may be called by many
// goroutines.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

//go:embed site
var site embed.FS

// policy lets the page load what this handler serves and connect to its own
// origin, and nothing else. A string can never become script or markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// A file is one embedded file as it is served.
type file struct {
	content     []byte
	contentType string
	etag        string
}

// A Page is what the page has to know of its gateway.
type Page struct {
	Realm string // to join, unless the page is asked for with ?realm=NAME

	// Key is the ingest key that the lines to paste show. Everybody who can
	// load the page sees it, so that only a demonstration gives one; empty:
	// a placeholder stands there.
	Key string
}

// Handler serves the page at "/" and its files below "/console/", for GET and
// HEAD. Anything else is answered with 404 Not Found or 405 Method Not
// Allowed.
//
// Every answer has an ETag and must be revalidated, so that a new version of
// the gateway is seen at the next load, and an unchanged one costs no bytes.
func Handler(p Page) http.Handler {
	files, err := load(p)
	if err != nil {
		panic(fmt.Sprintf("console: embedded files: %v", err)) // fixed at build time
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, fmt.Sprintf("%s is read with GET, not %s", r.URL.Path, r.Method), http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("ETag", f.etag)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	})
}

// load reads the embedded files by the path at which they are served, with p
// filled in.
func load(p Page) (map[string]file, error) {
	files := make(map[string]file)
	entries, err := fs.ReadDir(site, "site")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		content, err := fs.ReadFile(site, path.Join("site", name))
		if err != nil {
			return nil, err
		}
		at := "/console/" + name
		if name == "index.html" {
			at = "/"
			if content, err = fill(content, p); err != nil {
				return nil, err
			}
		}
		files[at] = file{
			content:     content,
			contentType: contentType(name),
			etag:        etag(content),
		}
	}
	return files, nil
}

func fill(page []byte, p Page) ([]byte, error) {
	t, err := template.New("index.html").Parse(string(page))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, p)
	return out.Bytes(), err
}

// contentType names the types of our own files itself: what the machine's
// tables say of .js differs from machine to machine.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}

func etag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}
