package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

func TestErrorDetail(t *testing.T) {
	long := strings.Repeat("ä", 150)
	tests := []struct {
		name string
		err  ingest.Error
		want string
	}{
		{
			"all facts",
			ingest.Error{
				Kind: ingest.InvalidEvent, Text: "prices are net", Class: "order.created", Field: "total",
				Expected: "a number of at least 0", Found: "-1", Index: 2,
			},
			"event 2: order.created: total: expected a number of at least 0, found -1: prices are net",
		},
		{"the first of a batch", ingest.Error{Kind: ingest.UnknownClass, Class: "a.b"}, "event 0: a.b: no such event class"},
		{"kind only", ingest.Error{Kind: ingest.Forbidden, Index: -1}, "the ingest key may not do this"},
		{"found only", ingest.Error{Kind: ingest.InvalidEvent, Field: "x", Found: "nothing", Index: -1}, "x: found nothing"},
		{
			"retry",
			ingest.Error{Kind: ingest.Unavailable, Text: "the store is away", Index: -1, RetryAfter: 2 * time.Second},
			"the store is away; try again in 2s",
		},
		{"long", ingest.Error{Found: long, Index: -1}, "found " + long[:200] + "…"},
		{"not UTF-8", ingest.Error{Found: "a\xFFb", Index: -1}, "found a\uFFFDb"},
		{"the cause is not told", ingest.Error{Err: errors.New("secret"), Index: -1}, "internal error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Detail(); got != tt.want {
				t.Errorf("Detail() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAsError(t *testing.T) {
	forbidden := &ingest.Error{Kind: ingest.Forbidden, Index: -1}
	tests := []struct {
		err  error
		want ingest.Kind
	}{
		{fmt.Errorf("post: %w", forbidden), ingest.Forbidden},
		{context.Canceled, ingest.Unavailable},
		{fmt.Errorf("append: %w", context.DeadlineExceeded), ingest.Unavailable},
		{io.EOF, ingest.Internal},
	}
	for _, tt := range tests {
		got := ingest.AsError(tt.err)
		if got.Kind != tt.want || !errors.Is(tt.err, got) && !errors.Is(got, tt.err) {
			t.Errorf("AsError(%v) = %v, want the kind %v, wrapping it", tt.err, got, tt.want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	err := error(&ingest.Error{Kind: ingest.InvalidEvent, Field: "total", Index: 3})
	tests := []struct {
		target error
		want   bool
	}{
		{&ingest.Error{Kind: ingest.InvalidEvent}, true},
		{&ingest.Error{Kind: ingest.InvalidEvent, Index: -1}, true},
		{&ingest.Error{Kind: ingest.Forbidden}, false},
		{&ingest.Error{Kind: ingest.InvalidEvent, Field: "other"}, false},
		{io.EOF, false},
	}
	for _, tt := range tests {
		if got := errors.Is(err, tt.target); got != tt.want {
			t.Errorf("errors.Is(%v, %#v) = %v, want %v", err, tt.target, got, tt.want)
		}
	}
}

func TestSingle(t *testing.T) {
	batch := &ingest.Error{Kind: ingest.InvalidEvent, Field: "total", Index: 3}
	if got := ingest.AsError(ingest.Single(batch)); got.Index != -1 || got.Field != "total" || batch.Index != 3 {
		t.Errorf("Single(%v) = %v, want it without a position, and the original left alone", batch, got)
	}
	if err := ingest.Single(nil); err != nil {
		t.Errorf("Single(nil) = %v, want nil", err)
	}
}

// Every kind has a name of its own.
func TestKindNames(t *testing.T) {
	seen := map[string]bool{}
	for i, kind := range ingest.Kinds {
		if int(kind) != i {
			t.Errorf("Kinds[%d] is %v", i, kind)
		}
		if name := kind.String(); seen[name] || strings.HasPrefix(name, "kind-") {
			t.Errorf("kind %d has no name of its own, but %q", i, name)
		}
		seen[kind.String()] = true
	}
	if next := ingest.Kind(len(ingest.Kinds)); !strings.HasPrefix(next.String(), "kind-") {
		t.Errorf("the kind %v is missing in Kinds", next)
	}
}

func TestCheckID(t *testing.T) {
	tests := []struct {
		id, found string
	}{
		{"a", ""},
		{"order 17/u", ""},
		{strings.Repeat("a", 128), ""},
		{strings.Repeat("a", 256), "256 bytes"},
		{"", "an empty string"},
		{"a\nb", `the character '\n'`},
		{"\xFF", "the character '\\ufffd'"},
	}
	for _, tt := range tests {
		err := ingest.CheckID(tt.id)
		found := ""
		if err != nil {
			found = ingest.AsError(err).Found
		}
		if found != tt.found {
			t.Errorf("CheckID(%q): %v, want found %q", tt.id, err, tt.found)
		}
	}
}

func TestDepth(t *testing.T) {
	tests := []struct {
		json string
		want int
	}{
		{`1`, 0},
		{`"[[["`, 0},
		{`{}`, 1},
		{`{"a":[],"b":{"c":[1,{}]}}`, 4},
		{`["\"[[[","\\",["\\\"{"]]`, 2},
		{` { "[" : "]" } `, 1},
	}
	for _, tt := range tests {
		if got := ingest.Depth([]byte(tt.json)); got != tt.want {
			t.Errorf("Depth(%s) = %d, want %d", tt.json, got, tt.want)
		}
	}
}

// The depth of any JSON text is what a decoder into Go values finds.
func FuzzDepth(f *testing.F) {
	for _, s := range []string{`{"a":[1,"]\""]}`, `"\\\\\""`, `[[],[[{}]]]`, `[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		if json.Unmarshal(text, &v) != nil {
			_ = ingest.Depth(text) // must only not crash
			return
		}
		if got, want := ingest.Depth(text), depthOf(v); got < want {
			t.Errorf("Depth(%s) = %d, want at least %d", text, got, want) // duplicates may hide more
		}
	})
}

func depthOf(v any) int {
	deepest := -1
	switch v := v.(type) {
	case []any:
		deepest = 0
		for _, item := range v {
			deepest = max(deepest, depthOf(item))
		}
	case map[string]any:
		deepest = 0
		for _, item := range v {
			deepest = max(deepest, depthOf(item))
		}
	}
	return deepest + 1
}

func TestBearer(t *testing.T) {
	tests := []struct {
		headers []string
		want    string
		ok      bool
	}{
		{[]string{"Bearer abc"}, "abc", true},
		{[]string{"bearer  abc "}, "abc", true},
		{[]string{"Bearer "}, "", false},
		{[]string{"Bearer"}, "", false},
		{[]string{"Basic YTpi"}, "YTpi", false},
		{nil, "", false},
		{[]string{"Bearer a", "Bearer b"}, "", false},
	}
	for _, tt := range tests {
		r := &http.Request{Header: http.Header{"Authorization": tt.headers}}
		got, ok := ingest.Bearer(r)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("Bearer(%q) = %q, %v, want %q, %v", tt.headers, got, ok, tt.want, tt.ok)
		}
	}
}

func TestRetryAfterSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2"} {
		if got := ingest.RetryAfterSeconds(d); got != want {
			t.Errorf("RetryAfterSeconds(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestReadBody(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("abc"), brokenReader{})
	tests := []struct {
		name     string
		body     io.Reader
		declared int64
		want     string
		kind     ingest.Kind // with an error
		fails    bool
	}{
		{name: "all", body: strings.NewReader("abcd"), declared: 4, want: "abcd"},
		{name: "no length", body: strings.NewReader("abcd"), declared: -1, want: "abcd"},
		{name: "at the limit", body: strings.NewReader("12345678"), declared: 8, want: "12345678"},
		{name: "declared a gigabyte", body: brokenReader{}, declared: 1 << 30, kind: ingest.TooLarge, fails: true},
		{name: "too large", body: strings.NewReader("123456789"), declared: -1, want: "12345678", kind: ingest.TooLarge, fails: true},
		{name: "ends early", body: broken, declared: -1, want: "abc", kind: ingest.BadRequest, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", tt.body)
			r.ContentLength = tt.declared
			got, err := ingest.ReadBody(httptest.NewRecorder(), r, []byte("x"), 8)
			if string(got) != "x"+tt.want || (err != nil) != tt.fails || tt.fails && ingest.AsError(err).Kind != tt.kind {
				t.Errorf("ReadBody() = %q, %v, want %q, error %v of the kind %v", got, err, "x"+tt.want, tt.fails, tt.kind)
			}
		})
	}
}

// A length that was only declared costs no memory.
func TestReadBodyMemory(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader("abc"))
	r.ContentLength = 1 << 30
	got, err := ingest.ReadBody(httptest.NewRecorder(), r, nil, 1<<30)
	if err != nil || cap(got) > 4096 {
		t.Errorf("ReadBody of 3 bytes = a slice of capacity %d, %v, want at most 4096", cap(got), err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
