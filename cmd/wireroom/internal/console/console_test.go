package console_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/console"
)

func get(t *testing.T, h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	h := console.Handler(console.Page{Realm: "realm1"})
	tests := []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/console/app.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/console/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/console/icon.svg", 200, "image/svg+xml"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
		{"GET", "/console/", 404, "text/plain; charset=utf-8"},
		{"GET", "/console/index.html", 404, "text/plain; charset=utf-8"},
		{"GET", "/console/../console.go", 404, "text/plain; charset=utf-8"},
		{"GET", "/favicon.ico", 404, "text/plain; charset=utf-8"},
	}
	for _, tt := range tests {
		t.Run(tt.method+tt.path, func(t *testing.T) {
			w := get(t, h, tt.method, tt.path)
			if got := w.Header().Get("Content-Type"); w.Code != tt.status || got != tt.contentType {
				t.Errorf("%s %s = %d %s, want %d %s", tt.method, tt.path, w.Code, got, tt.status, tt.contentType)
			}
		})
	}
}

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	h := console.Handler(console.Page{Realm: "realm1"})
	etag := get(t, h, "GET", "/").Header().Get("ETag")
	if etag == "" {
		t.Fatal("GET / has no ETag")
	}
	if w := get(t, h, "GET", "/", "If-None-Match", etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("GET / with its own ETag = %d and %d bytes, want 304 and none", w.Code, w.Body.Len())
	}
	other := get(t, console.Handler(console.Page{Realm: "realm2"}), "GET", "/").Header().Get("ETag")
	if other == etag {
		t.Errorf("pages of two realms have one ETag %s", etag)
	}
}

func TestPageIsEscaped(t *testing.T) {
	const bad = `"><script>alert(1)</script>`
	body := get(t, console.Handler(console.Page{Realm: bad, Key: bad}), "GET", "/").Body.String()
	if strings.Contains(body, "<script>alert") {
		t.Errorf("a name became markup:\n%s", body)
	}
}

// The policy forbids inline script and style; the page must not need them.
func TestPageKeepsItsOwnPolicy(t *testing.T) {
	w := get(t, console.Handler(console.Page{Realm: "realm1"}), "GET", "/")
	policy := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("Content-Security-Policy %q lacks %q", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy %q allows something unsafe", policy)
	}
	for _, forbidden := range []string{`<script>`, `<style`, ` style=`, ` onclick=`, ` onload=`} {
		if strings.Contains(w.Body.String(), forbidden) {
			t.Errorf("the page has %s, which its policy forbids", forbidden)
		}
	}
}

// foreign is anything that would be loaded from another place, and any way to
// turn a string into markup or script.
var foreign = regexp.MustCompile(`(src|href)=["']?(https?:)?//|\burl\(|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`)

func TestSiteLoadsNothingForeign(t *testing.T) {
	site := os.DirFS("site")
	names, err := fs.Glob(site, "*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in site: %v", err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(site, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := foreign.Find(content); found != nil {
			t.Errorf("site/%s has %q", name, found)
		}
	}
}
