package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wampy passes payloads through in serializers of their own, between sessions
// in any two. In JSON it cannot: it does not know how WAMP writes binary there,
// so only text goes through.
func TestPassthru(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ sessions, payloads string }{
		{"msgpack,msgpack", "json,msgpack,cbor,native"},
		{"msgpack,cbor", "json,msgpack,cbor,native"},
		{"cbor,msgpack", "json,msgpack,cbor,native"},
		{"json,json", "json,native"},
		{"json,cbor", "json,native"},
		{"msgpack,json", "json,native"},
	} {
		t.Run(tt.sessions, func(t *testing.T) {
			node := needNode(t, "wampy", "ws")
			g := startGateway(t)
			s := startClient(t, node.env, node.path, "testdata/passthru.mjs", g.url("ws", "/ws"), "realm1", tt.sessions, tt.payloads)
			var got, want []string
			for _, line := range s.steps(t) {
				got = append(got, encode(t, line))
			}
			for payload := range strings.SplitSeq(tt.payloads, ",") {
				mark := func(key string) string {
					return fmt.Sprintf(`{"ppt_keyid":%q,"ppt_scheme":"x_mine","ppt_serializer":%q}`, key, payload)
				}
				want = append(want, fmt.Sprintf(`{"event":{"argsDict":{"a":[true]},"argsList":[1,"½"],"marked":%s},`+
					`"result":{"argsDict":{"asked":%s},"argsList":[2,"x"],"marked":%s},"serializer":%q}`,
					mark("k1"), mark("k1"), mark("k2"), payload))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
