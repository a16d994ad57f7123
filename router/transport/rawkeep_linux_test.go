package transport_test

import (
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

// The system looks after peers that are not pinged.
func TestRawKeepAlive(t *testing.T) {
	for _, pings := range []bool{false, true} {
		cfg := testConfig()
		cfg.PingRawSockets = pings
		want := 30 // seconds, as the ping interval
		if pings {
			want = 0
		}
		h := openRaw(t, cfg, listenTCP(t))
		p := h.connectRaw(greetJSON, 4)
		if _, err := p.take(4); err != nil {
			t.Fatal(err)
		}
		s := <-h.sessions
		if got, err := transport.KeepAlive(s.link); err != nil || got != want {
			t.Errorf("pings %v: keep-alive after %d seconds, %v; want %d", pings, got, err, want)
		}
	}
}

// So it does for WebSockets, where nobody is pinged.
func TestKeepAlive(t *testing.T) {
	for _, pings := range []bool{false, true} {
		cfg := testConfig()
		if !pings {
			cfg.PingInterval = 0
		}
		h := open(t, cfg, listenTCP(t))
		p := h.connect("wamp.2.json", "")
		if got, err := transport.KeepAlive(p.sess.link); err != nil || got > 0 == pings {
			t.Errorf("pings %v: keep-alive after %d seconds, %v", pings, got, err)
		}
	}
}
