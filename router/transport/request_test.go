package transport_test

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// What parsePlain leaves to others: everything that anybody could read in
// another way, and everything that is not about a WebSocket on its path.
var notPlain = []struct{ name, request string }{
	{"unfinished", strings.TrimSuffix(change(), "\r\n")},
	{"too long", change("X-Long: " + strings.Repeat("x", 8<<10))},
	{"too many fields", change(strings.Repeat("X-A: 1\r\n", 70) + "X-B: 2")},
	{"POST", change("POST /ws HTTP/1.1")},
	{"HTTP/1.0", change("GET /ws HTTP/1.0")},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{"another path", change("GET /wss HTTP/1.1")},
	{"escaped path", change("GET /%77s HTTP/1.1")},
	{"path above", change("GET /x/../ws HTTP/1.1")},
	{"absolute form", change("GET http://example.com/ws HTTP/1.1")},
	{"empty query", change("GET /ws? HTTP/1.1")},
	{"fragment", change("GET /ws?a#b HTTP/1.1")},
	{"space in the target", change("GET /ws?a b HTTP/1.1")},
	{"two spaces", change("GET  /ws HTTP/1.1")},
	{"space before the end of the line", change("GET /ws HTTP/1.1 ")},
	{"empty lines in front", "\r\n" + change()},
	{"no Host", change("Host:")},
	{"empty Host", change("Host: \r\nX-A: 1")},
	{"two Hosts", change("Host: a\r\nHost: b")},
	{"user in Host", change("Host: a@b")},
	{"list in Host", change("Host: a, b")},
	{"Content-Length", change("Content-Length: 0")},
	{"Content-Length in another case", change("content-LENGTH: 5")},
	{"Transfer-Encoding", change("Transfer-Encoding: chunked")},
	{"space before the colon", change("Transfer-Encoding : chunked")},
	{"obscured name", change("Transfer\x00-Encoding: chunked")},
	{"underscore in a name", change("Content_Length: 5")},
	{"no name", change("X-A: 1\r\n: 5")},
	{"no colon", change("X-A: 1\r\nX-B")},
	{"folded line", change("X-A: 1\r\n 2")},
	{"folded line with a tab", change("X-A: 1\r\n\tTransfer-Encoding: chunked")},
	{"bare LF", change("X-A: 1\nTransfer-Encoding: chunked")},
	{"bare LF at the end", "GET /ws HTTP/1.1\nHost: a\n\n" + change()},
	{"bare CR", change("X-A: 1\rTransfer-Encoding: chunked")},
	{"NUL", change("X-A: 1\x00")},
	{"DEL", change("X-A: 1\x7f")},
	{"not ASCII", change("X-A: é")},
	{"Expect", change("Expect: 100-continue")},
	{"Trailer", change("Trailer: X-A")},
	{"Pragma alone", change("Pragma: no-cache")},
	{"h2c", change("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")},
}

func TestNotPlain(t *testing.T) {
	for _, tt := range notPlain {
		if r, size := transport.ParsePlain([]byte(tt.request), "/ws"); r != nil || size != 0 {
			t.Errorf("%s: accepted as %+v", tt.name, r)
		}
	}
}

var plain = []string{
	change(),
	change() + "\x81\x80abcd",
	change("GET /ws?token=a%20b&c=d/e HTTP/1.1"),
	change("Host: [::1]:8080"),
	change("sec-websocket-protocol: wamp.2.cbor,\twamp.2.json  "),
	change("Cookie: a=1; b=\"2\"\r\nCookie: c=3", "X-Empty: \t "),
	change("Pragma: no-cache", "Cache-Control: no-cache", "Origin: https://example.com", "User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
		"Accept-Encoding: gzip, deflate, br", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Sec-Fetch-Site: same-origin"),
	change("Connection: close, Upgrade"),
	change("X-Forwarded-For: 10.0.0.1, 10.0.0.2", "X-Real-IP: 10.0.0.1", "Forwarded: for=\"[::1]\""),
}

func TestPlain(t *testing.T) {
	for _, request := range plain {
		if r, _ := transport.ParsePlain([]byte(request), "/ws"); r == nil {
			t.Errorf("not plain: %q", request)
		}
		checkPlain(t, []byte(request))
	}
}

// checkPlain fails if a request that is taken for plain is read by net/http in
// another way, or at another length.
func checkPlain(t *testing.T, b []byte) {
	t.Helper()
	before := bytes.Clone(b)
	got, size := transport.ParsePlain(b, "/ws")
	if !bytes.Equal(b, before) {
		t.Fatalf("changed its input %q", before)
	}
	if got == nil {
		return
	}
	br := bufio.NewReader(bytes.NewReader(b))
	want, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("%q is no request: %v", b, err)
	}
	rest := len(b) - size
	if n, err := br.Discard(rest + 1); n != rest || err == nil {
		t.Errorf("%q: %d bytes are left behind the request, want %d", b, rest, n)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q:\ngot  %+v\nwant %+v", b, got, want)
	}
	if got.Host == "" || got.ContentLength != 0 || got.TransferEncoding != nil {
		t.Errorf("%q was taken for plain: %+v", b, got)
	}
}

func FuzzPlain(f *testing.F) {
	for _, tt := range notPlain {
		f.Add([]byte(tt.request))
	}
	for _, request := range plain {
		f.Add([]byte(request))
	}
	f.Fuzz(checkPlain)
}
