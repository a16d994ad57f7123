//go:build linux

package bench

import (
	"bytes"
	"compress/flate"
	"net/http/httptest"
	"strings"
	"testing"
)

// TLS, compression, lingering and several sizes and serializers, with both
// routers as far as they can.
func TestFanoutOptions(t *testing.T) {
	needWireroom(t)
	base := []string{
		"fanout", "--spawn", "wireroom", "--subscribers", "12", "--rate", "50", "--duration", "300ms", "--warmup", "100ms",
		"--rounds", "1", "--strict", "--serializer", "json,msgpack",
	}
	tests := []struct {
		name   string
		args   []string
		packed float64 // percent of the deliveries, at least
	}{
		{"TLS", []string{"--tls", "--spawn", "nexus", "--size", "64,300"}, -1},
		{"deflate", []string{"--deflate", "--deflate-min", "0", "--spawn", "nexus", "--size", "1024"}, 100},
		{"deflate, random", []string{"--deflate", "--size", "1024", "--payload", "random"}, 0},
		{"all", []string{"--deflate", "--tls", "--linger", "5ms", "--size", "1024", "--acknowledge"}, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := bench(t.Context(), t, append(base, tt.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			for _, res := range r.Results {
				need(t, res, "delivered_percent", 100, 100)
				if tt.packed >= 0 {
					need(t, res, "packed_percent", tt.packed, 100)
				}
			}
		})
	}
}

func TestIdleOptions(t *testing.T) {
	needWireroom(t)
	r, err := bench(t.Context(), t, "idle", "--spawn", "wireroom", "--spawn", "nexus", "--sessions", "60", "--settle", "100ms",
		"--rounds", "1", "--tls", "--deflate", "--strict")
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range r.Results {
		need(t, res, "joins_per_second", 5, 1e5)
		need(t, res, "pings_per_session", 0, 0)
		if !strings.Contains(res.Note, "did not ping every session in 100ms") {
			t.Errorf("note %q, want a warning about pings", res.Note)
		}
	}
}

// A server that does not compress is not measured as if it did.
func TestNoDeflate(t *testing.T) {
	h, _ := nexusHandler(t)
	s := httptest.NewServer(h)
	defer s.Close()
	r, _ := bench(t.Context(), t, "idle", "--url", "ws"+strings.TrimPrefix(s.URL, "http"), "--sessions", "1", "--settle", "0s", "--rounds", "1", "--deflate")
	if e := r.Results[0].Errors; len(e) != 1 || !strings.Contains(e[0], "did not agree to permessage-deflate") {
		t.Errorf("errors %v", e)
	}
}

// Text compresses as prose does, random hardly; both are always the same, and
// plain.
func TestFilling(t *testing.T) {
	for kind, most := range map[fillingKind]float64{fillText: 0.5, fillRandom: 1} {
		o := &options{filling: kind}
		b := o.newPayload(4000)
		if !bytes.Equal(b, o.newPayload(4000)) || len(b) != 4000 {
			t.Fatalf("%s: %d bytes, or not the same again", kind, len(b))
		}
		if bad := bytes.IndexFunc(b, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }); bad >= 0 {
			t.Errorf("%s: %q at %d", kind, b[bad], bad)
		}
		if _, _, _, ok := readPayload(b); !ok {
			t.Errorf("%s: the head can't be read", kind)
		}
		var packed bytes.Buffer
		w, _ := flate.NewWriter(&packed, flate.BestSpeed)
		_, _ = w.Write(b)
		_ = w.Close()
		if share := float64(packed.Len()) / float64(len(b)); share > most || share < most-0.4 {
			t.Errorf("%s compresses to %.2f, want %.2f to %.2f", kind, share, most-0.4, most)
		}
	}
}
