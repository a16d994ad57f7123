package transport_test

import (
	"net"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// A PROXY header costs a connection nothing of what makes it small: it is read
// and written as one without, TLS or not.
func TestProxyProtocolLean(t *testing.T) {
	proxied(t, func(t *testing.T, l net.Listener, wire string) {
		h := open(t, behindProxy(), l)
		h.introducing(l, v2(0x21, 0x11, block4+tlvs))
		p := h.connect("wamp.2.json", "")
		if got := transport.Lean(p.sess.link); got != wire {
			t.Errorf("a WebSocket behind a header has a wire of kind %q, want %q", got, wire)
		}
		r := h.connectRaw(greetJSON, 4)
		if _, err := r.take(rawGreeting); err != nil {
			t.Fatal(err)
		}
		if got := transport.Lean((<-h.sessions).link); got != wire {
			t.Errorf("a RawSocket behind a header has a wire of kind %q, want %q", got, wire)
		}
	})
}
