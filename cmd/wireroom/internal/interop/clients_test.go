package interop_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestNode(t *testing.T) {
	t.Parallel()
	for _, lib := range []struct {
		name string
		library
	}{
		{name: "autobahn", library: library{options: true}},
		{name: "wampy", library: library{options: true, details: true}},
	} {
		for _, serializer := range serializers {
			t.Run(lib.name+"/"+serializer, func(t *testing.T) {
				node := needNode(t, lib.name, "ws")
				g := startGateway(t)
				goRound(t, g, lib.library, node.env, node.path, "testdata/node.mjs",
					lib.name, g.url("ws", "/ws"), "realm1", serializer, roundName("node", lib.name, serializer))
			})
		}
	}
}

// Python's client over RawSocket, on the port of HTTP.
func TestPythonRawSocket(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere RawSocket has a port of its own")
	}
	for _, serializer := range serializers {
		t.Run(serializer, func(t *testing.T) {
			python := pythonWith(t, "autobahn", "msgpack", "cbor2", "twisted")
			g := startGateway(t)
			ctx, cancel := context.WithTimeout(t.Context(), clientTime)
			defer cancel()
			out, err := exec.CommandContext(ctx, python, "testdata/rawsocket.py", g.url("rs", ""), "realm1", serializer).CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// The past, asked for as the specification has it, from autobahn for Python.
func TestPythonHistory(t *testing.T) {
	t.Parallel()
	for _, serializer := range serializers {
		t.Run(serializer, func(t *testing.T) {
			python := pythonWith(t, "autobahn", "msgpack", "cbor2")
			g := startGateway(t)
			ctx, cancel := context.WithTimeout(t.Context(), clientTime)
			defer cancel()
			out, err := exec.CommandContext(ctx, python, "testdata/history.py", g.url("ws", "/ws"), "realm1", serializer).CombinedOutput()
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

func TestPython(t *testing.T) {
	t.Parallel()
	for _, serializer := range serializers {
		t.Run(serializer, func(t *testing.T) {
			python := pythonWith(t, "autobahn", "msgpack", "cbor2")
			g := startGateway(t)
			goRound(t, g, library{queries: true}, os.Environ(), python, "testdata/round.py",
				g.url("ws", "/ws"), "realm1", serializer, roundName("python", serializer))
		})
	}
}

// A page of another origin, which the gateway's configuration lets in.
func TestBrowser(t *testing.T) {
	t.Parallel()
	for _, lib := range []struct {
		name string
		file string // in node_modules
		library
	}{
		{name: "autobahn", file: "autobahn-browser/autobahn.min.js", library: library{options: true}},
		{name: "wampy", file: "wampy/dist/browser/wampy.min.js", library: library{options: true, details: true}},
	} {
		t.Run(lib.name, func(t *testing.T) {
			node := needBrowser(t, lib.file)
			pages := servePages(t, "/clients/"+lib.name+".js", filepath.Join(node.modules, lib.file))
			g := startGateway(t, pages)
			query := url.Values{
				"library": {lib.name}, "url": {g.url("ws", "/ws")}, "realm": {"realm1"},
				"name": {roundName("browser", lib.name)},
			}
			goRound(t, g, lib.library, node.env, node.path, "testdata/browser.mjs", pages+"/page.html?"+query.Encode())
		})
	}
}

// autobahn-js where no WebSocket gets through: in Node, which has to be lent an
// XMLHttpRequest, and in a page of another origin.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	t.Run("node", func(t *testing.T) {
		node := needNode(t, "autobahn", "ws")
		g := startGateway(t)
		goRound(t, g, library{options: true}, node.env, node.path, "testdata/node.mjs",
			"autobahn by requests", g.url("http", "/lp"), "realm1", "json", roundName("longpoll", "node"))
	})
	t.Run("browser", func(t *testing.T) {
		const file = "autobahn-browser/autobahn.min.js"
		node := needBrowser(t, file)
		pages := servePages(t, "/clients/autobahn.js", filepath.Join(node.modules, file))
		g := startGateway(t, pages)
		query := url.Values{
			"library": {"autobahn"}, "url": {g.url("http", "/lp")}, "realm": {"realm1"}, "name": {roundName("longpoll", "browser")},
		}
		goRound(t, g, library{options: true}, node.env, node.path, "testdata/browser.mjs", pages+"/page.html?"+query.Encode())
	})
}

// Clients that offer permessage-deflate by themselves, against a gateway that
// has it: Chromium, and ws under autobahn in Node.
func TestDeflate(t *testing.T) {
	t.Parallel()
	t.Run("offered", func(t *testing.T) {
		g := startDeflating(t)
		d := websocket.Dialer{Subprotocols: []string{"wamp.2.json"}, EnableCompression: true}
		conn, resp, err := d.DialContext(t.Context(), g.url("ws", "/ws"), nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if got := resp.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate;") {
			t.Errorf("answered with %q, want permessage-deflate", got)
		}
	})
	for _, serializer := range serializers {
		t.Run("node/"+serializer, func(t *testing.T) {
			node := needNode(t, "autobahn", "ws")
			g := startDeflating(t)
			goRound(t, g, library{options: true}, node.env, node.path, "testdata/node.mjs",
				"autobahn", g.url("ws", "/ws"), "realm1", serializer, roundName("deflate", serializer))
		})
	}
	t.Run("browser", func(t *testing.T) {
		const file = "autobahn-browser/autobahn.min.js"
		node := needBrowser(t, file)
		pages := servePages(t, "/clients/autobahn.js", filepath.Join(node.modules, file))
		g := startDeflating(t, pages)
		query := url.Values{
			"library": {"autobahn"}, "url": {g.url("ws", "/ws")}, "realm": {"realm1"}, "name": {roundName("deflate", "browser")},
		}
		goRound(t, g, library{options: true}, node.env, node.path, "testdata/browser.mjs", pages+"/page.html?"+query.Encode())
	})
}

// servePages serves testdata, and the file at path. It returns the origin.
func servePages(t *testing.T, path, file string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	pages := http.FileServer(http.Dir("testdata"))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if filepath.Ext(r.URL.Path) == ".mjs" {
			w.Header().Set("Content-Type", "text/javascript")
		}
		pages.ServeHTTP(w, r)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}
