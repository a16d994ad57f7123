//go:build linux

package bench

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/vmihailenco/msgpack/v5"
)

// What others write about when to come back we read.
func TestRetryAfter(t *testing.T) {
	short := cbor.EncOptions{ShortestFloat: cbor.ShortestFloat16}
	mode, err := short.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{0, 1, 17, 200, 70000, 0.5, 1.25, 2.125, float32(3.5), 0.003, 1000.125, -1, 1e9, "soon", nil, math.NaN()} {
		msg := []any{3, map[string]any{"message": "no", "_retry_after": v}, "wireroom.error.unavailable"}
		var want time.Duration
		told := true
		switch v := v.(type) {
		case int:
			want = time.Duration(v) * time.Second
		case float32:
			want = time.Duration(float64(v) * 1e9)
		case float64:
			want = time.Duration(v * 1e9)
			told = v == v && v < 1e6
		default:
			told = false
		}
		if want < 0 || want > maxRetryAfter || !told {
			want, told = 0, false
		}
		encoded := make(map[serializer][]byte)
		encoded[serJSON], _ = json.Marshal(msg)
		encoded[serMsgpack], _ = msgpack.Marshal(msg)
		encoded[serCBOR], _ = mode.Marshal(msg)
		for s, b := range encoded {
			if len(b) == 0 {
				continue // JSON has no NaN
			}
			if e := refusedByAbort(s, b); e.after != want || e.told != told || e.status != 0 || !strings.Contains(e.Error(), "ABORT") {
				t.Errorf("%s, %v: %+v, want %v, %v", s, v, e, want, told)
			}
		}
	}
}

func TestRetryAfterHTTP(t *testing.T) {
	tests := []struct {
		name, response string
		status         int
		after          time.Duration
		told           bool
	}{
		{"seconds", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 503, 7 * time.Second, true},
		{"no header", "HTTP/1.1 503 Service Unavailable\r\n\r\n", 503, 0, false},
		{"a date", "HTTP/1.1 429 Too Many\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n", 429, 0, false},
		{"too long", "HTTP/1.1 503 No\r\nRetry-After: 4000000000\r\n\r\n", 503, 0, false},
		{"cut off", "HTTP/1.1 503 No\r\nRetry", 503, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := refusedByHTTP(tt.status, strings.NewReader(tt.response))
			if e.status != tt.status || e.after != tt.after || e.told != tt.told || e.Error() == "" {
				t.Errorf("%+v, want status %d, after %v, told %v", e, tt.status, tt.after, tt.told)
			}
		})
	}
}
