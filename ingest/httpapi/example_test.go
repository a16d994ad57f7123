package httpapi_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/wireroom/wireroom/ingest/httpapi"
	"github.com/wireroom/wireroom/ingest/ingesttest"
)

// A handler takes events wherever it is mounted.
func ExampleNew() {
	sink := new(ingesttest.Sink)
	keys := ingesttest.Keys{"demo": "demo"}
	mux := http.NewServeMux()
	mux.Handle("/events", httpapi.New(sink, keys, slog.New(slog.DiscardHandler), httpapi.DefaultConfig()))
	server := httptest.NewServer(mux)
	defer server.Close()

	r, err := http.NewRequest("POST", server.URL+"/events", strings.NewReader(`{"class": "demo.message", "data": {"text": "hello"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer demo")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	fmt.Printf("%d %s", resp.StatusCode, answer)
	// Output: 200 {"id":"drawn-1"}
}
