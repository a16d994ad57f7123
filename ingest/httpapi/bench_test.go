package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/httpapi"
)

const order = `{"class":"order.created","data":{"id":4711,"customer":"J&J \"Söhne\"","total":99.5,` +
	`"items":["apple","pear"],"time":"2026-01-31T14:05:06Z"}}`

// nothing is a sink that forgets, and an authenticator that asks nothing.
type nothing struct{}

func (nothing) Publish(context.Context, ingest.Key, *ingest.Event) (ingest.Receipt, error) {
	return ingest.Receipt{ID: "01JABCDEFGHJKMNPQRSTVWXYZ0", Epoch: "e", Offset: 1}, nil
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

// serving returns a function that has the handler serve the request again and
// again, without a server around it.
func serving(h http.Handler, body string) func() {
	r := httptest.NewRequest("POST", "/events", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer demo")
	r.ContentLength = int64(len(body))
	reader := bytes.NewReader(nil)
	r.Body = io.NopCloser(reader)
	w := discard{}
	return func() {
		reader.Reset([]byte(body))
		h.ServeHTTP(w, r)
	}
}

func newNothing() *httpapi.Handler {
	return httpapi.New(nothing{}, nothing{}, nil, httpapi.DefaultConfig())
}

// The budget of posting an event, from the request to the answer, apart from
// the HTTP server, the sink and the authenticator: the class as a string, the
// event, its data; the limit on the body and what net/http asks to be made for
// it; the length of the answer.
func TestPostAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	serve := serving(newNothing(), order)
	serve()
	if got := testing.AllocsPerRun(100, serve); got > maxPostAllocs {
		t.Errorf("posting an event: %v allocations, want at most %d", got, maxPostAllocs)
	}
}

const maxPostAllocs = 6

// BenchmarkPost is one event to a sink that does nothing: the handler alone,
// and with a server and a client on loopback.
func BenchmarkPost(b *testing.B) {
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
			r, err := http.NewRequestWithContext(b.Context(), "POST", server.URL+"/events", bytes.NewReader([]byte(order)))
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer demo")
			resp, err := client.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}
