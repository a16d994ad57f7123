package xmlrpc_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/xmlrpc"
)

// order is a call as Python's client sends it.
const order = `<?xml version='1.0'?>
<methodCall>
<methodName>event.publish</methodName>
<params>
<param>
<value><string>demo</string></value>
</param>
<param>
<value><string>order.created</string></value>
</param>
<param>
<value><struct>
<member>
<name>id</name>
<value><int>4711</int></value>
</member>
<member>
<name>customer</name>
<value><string>J&amp;J "Söhne"</string></value>
</member>
<member>
<name>total</name>
<value><double>99.5</double></value>
</member>
<member>
<name>items</name>
<value><array><data>
<value><string>apple</string></value>
<value><string>pear</string></value>
</data></array></value>
</member>
<member>
<name>time</name>
<value><dateTime.iso8601>20260131T14:05:06</dateTime.iso8601></value>
</member>
</struct></value>
</param>
</params>
</methodCall>
`

// nothing is a sink that forgets, and an authenticator that asks nothing.
type nothing struct{}

func (nothing) Publish(context.Context, ingest.Key, *ingest.Event) (ingest.Receipt, error) {
	return ingest.Receipt{ID: "01JABCDEFGHJKMNPQRSTVWXYZ0"}, nil
}

func (nothing) PublishMany(_ context.Context, _ ingest.Key, events []*ingest.Event) ([]ingest.Receipt, error) {
	return make([]ingest.Receipt, len(events)), nil
}

func (nothing) Classes(context.Context, ingest.Key) ([]ingest.ClassInfo, error) { return nil, nil }

func (nothing) Key(context.Context, string) (ingest.Key, error) { return ingest.Key{Name: "demo"}, nil }

// A discard is a response writer that costs nothing.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// SetReadDeadline is there because a server's response writer has it.
func (d discard) SetReadDeadline(time.Time) error { return nil }

// serving returns a function that has the handler serve the call again and
// again, without a server around it.
func serving(h http.Handler, body string) func() {
	r := httptest.NewRequest("POST", "/RPC2", nil)
	r.Header.Set("Content-Type", "text/xml")
	r.ContentLength = int64(len(body))
	reader := bytes.NewReader(nil)
	r.Body = io.NopCloser(reader)
	w := discard{}
	return func() {
		reader.Reset([]byte(body))
		h.ServeHTTP(w, r)
	}
}

func newNothing() *xmlrpc.Handler {
	return xmlrpc.New(nothing{}, nothing{}, nil, xmlrpc.DefaultConfig())
}

// Decoding a call allocates nothing once its memory has grown.
func TestDecodeAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	decode := xmlrpc.Decoding([]byte(order), maxDepth)
	if got := testing.AllocsPerRun(100, func() {
		if err := decode(); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("decode: %v allocations, want 0", got)
	}
}

// The budget of event.publish, from the request to the answer, apart from the
// HTTP server, the sink and the authenticator: the key and the class as
// strings, the event, its data; the limit on the body and what net/http asks
// to be made for it; the length of the answer.
func TestPublishAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	serve := serving(newNothing(), order)
	serve()
	if got := testing.AllocsPerRun(100, serve); got > maxPublishAllocs {
		t.Errorf("event.publish: %v allocations, want at most %d", got, maxPublishAllocs)
	}
}

const maxPublishAllocs = 7

func BenchmarkDecode(b *testing.B) {
	decode := xmlrpc.Decoding([]byte(order), maxDepth)
	b.ReportAllocs()
	b.SetBytes(int64(len(order)))
	for b.Loop() {
		if err := decode(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingXML has encoding/xml read the same call, token by token and
// without making anything of it: something to compare BenchmarkDecode with.
func BenchmarkEncodingXML(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(order)))
	for b.Loop() {
		dec := xml.NewDecoder(strings.NewReader(order))
		for {
			if _, err := dec.RawToken(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkPublish is one event.publish to a sink that does nothing: the
// handler alone, and with a server and a client on loopback.
func BenchmarkPublish(b *testing.B) {
	b.Run("handler", func(b *testing.B) {
		serve := serving(newNothing(), order)
		b.ReportAllocs()
		for b.Loop() {
			serve()
		}
	})
	b.Run("loopback", func(b *testing.B) {
		server := httptest.NewServer(newNothing())
		defer server.Close()
		client := server.Client()
		for b.Loop() {
			resp, err := client.Post(server.URL+"/RPC2", "text/xml", bytes.NewReader([]byte(order)))
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
