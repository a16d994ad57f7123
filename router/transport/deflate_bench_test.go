package transport_test

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"

	"github.com/wireroom/wireroom/router/transport"
)

// sample returns an EVENT in JSON of about size bytes, as an application sends
// them: keys that repeat, and numbers, words and identifiers that do not.
func sample(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"pending", "shipped", "Oslo", "Bergen", "express", "returned", "invoice", "customer"}
	type item struct {
		SKU   string  `json:"sku"`
		Count int     `json:"count"`
		Price float64 `json:"price"`
		State string  `json:"state"`
	}
	var items []item
	for {
		msg, err := json.Marshal([]any{36, 5512315355, 4429313566, map[string]any{"_class": "order.created", "_offset": 8125}, []any{}, map[string]any{"id": 118273, "items": items}})
		if err != nil {
			panic(err)
		}
		if len(msg) >= size {
			return msg
		}
		for range max(1, (size-len(msg))/70) {
			items = append(items, item{fmt.Sprintf("%08x", r.Uint32()), r.IntN(20), float64(r.IntN(100000)) / 100, words[r.IntN(len(words))]})
		}
	}
}

// BenchmarkCompressors compares ways to compress one message by itself: time,
// what is left of it, and the memory that a compressor takes.
func BenchmarkCompressors(b *testing.B) {
	type compressor interface {
		io.Writer
		Flush() error
		Reset(io.Writer)
	}
	std := func(level int) func() compressor {
		return func() compressor { w, _ := stdflate.NewWriter(io.Discard, level); return w }
	}
	klauspost := func(level int) func() compressor {
		return func() compressor { w, _ := flate.NewWriter(io.Discard, level); return w }
	}
	for _, bb := range []struct {
		name string
		make func() compressor // nil: StatelessDeflate
	}{
		{"std-1", std(1)},
		{"std-6", std(6)},
		{"klauspost-stateless", nil},
		{"klauspost-1", klauspost(1)},
		{"klauspost-2", klauspost(2)},
		{"klauspost-3", klauspost(3)},
		{"klauspost-5", klauspost(5)},
		{"klauspost-6", klauspost(6)},
		{"klauspost-huffman", klauspost(flate.HuffmanOnly)},
		{"klauspost-window4k", func() compressor { w, _ := flate.NewWriterWindow(io.Discard, 4096); return w }},
	} {
		for _, size := range []int{128, 256, 512, 1 << 10, 16 << 10, 256 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("how=%s/size=%d", bb.name, size), func(b *testing.B) {
				msg := sample(size)
				var out bytes.Buffer
				out.Grow(2 * len(msg))
				heapInUse() // empties pools
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				compress := func() { _ = flate.StatelessDeflate(&out, msg, false, nil) }
				if bb.make != nil {
					w := bb.make()
					compress = func() { w.Reset(&out); w.Write(msg); w.Flush() }
				}
				compress()
				runtime.ReadMemStats(&after)
				b.ReportAllocs()
				b.SetBytes(int64(len(msg)))
				for b.Loop() {
					out.Reset()
					compress()
				}
				b.ReportMetric(100*float64(out.Len()-4)/float64(len(msg)), "%left")
				b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/1024, "KiB-each")
			})
		}
	}
}

// BenchmarkInflateWorst is what a peer can ask of us: output for little input,
// and input for little output.
func BenchmarkInflateWorst(b *testing.B) {
	for _, bb := range []struct{ name, payload string }{
		{"bomb", pack(strings.Repeat("b", 1<<20))},
		{"final-blocks", strings.Repeat("\x03\x00", 1<<19-1) + "\x00"},
		{"stored-blocks", strings.Repeat("\x00\x00\x00\xff\xff", 1<<20/5) + "\x00"},
		{"one-byte-streams", strings.Repeat(finished("m"), 1<<20/len(finished("m"))) + "\x00"},
	} {
		b.Run(fmt.Sprintf("kind=%s/size=%d", bb.name, len(bb.payload)), func(b *testing.B) {
			b.SetBytes(int64(len(bb.payload)))
			for b.Loop() {
				if code := transport.InflateOnly([]byte(bb.payload), 1<<20); code != 0 {
					b.Fatal(code)
				}
			}
		})
	}
}

// BenchmarkInflate compares what inflates one message: ours, and the two
// libraries in a bare loop.
func BenchmarkInflate(b *testing.B) {
	for _, size := range []int{256, 1 << 10, 16 << 10, 256 << 10, 1 << 20} {
		msg := sample(size)
		payload := []byte(pack(string(msg)))
		b.Run(fmt.Sprintf("how=ours/size=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				if code := transport.InflateOnly(payload, 1<<21); code != 0 {
					b.Fatal(code)
				}
			}
		})
		bare := func(r io.Reader) func(b *testing.B) {
			return func(b *testing.B) {
				whole := append(payload[:len(payload):len(payload)], "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
				src := new(bytes.Reader)
				out := make([]byte, 2<<20)
				b.ReportAllocs()
				b.SetBytes(int64(len(msg)))
				for b.Loop() {
					src.Reset(whole)
					_ = r.(stdflate.Resetter).Reset(src, nil)
					if n, err := io.ReadFull(r, out); err != io.ErrUnexpectedEOF || n != len(msg) {
						b.Fatal(n, err)
					}
				}
			}
		}
		b.Run(fmt.Sprintf("how=std/size=%d", size), bare(stdflate.NewReader(nil)))
		b.Run(fmt.Sprintf("how=klauspost/size=%d", size), bare(flate.NewReader(nil)))
	}
}
