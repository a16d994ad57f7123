package transport_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// A storm is refused before the upgrade: of connections that come at once, only
// as many as may wait for their turn, or be told at HELLO when to come, are
// upgraded. The others are told in whole seconds, rounded up.
func TestUpgradesAreAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		cfg := router.DefaultConfig()
		cfg.Admission = router.Admission{Rate: 1, Burst: 2, Wait: time.Second}
		rt := router.New(cfg, everyone{}, log)
		h := &house{t: t, srv: transport.NewServer(rt, testConfig(), log)}
		t.Cleanup(func() {
			if err := rt.Shutdown(context.Background()); err != nil {
				t.Errorf("Router.Shutdown: %v", err)
			}
		})
		h.serve(h.srv, newPipeListener())

		ask := func() *http.Response {
			conn, err := h.dial()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			if _, err := io.WriteString(conn, change()); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		// A burst of 2, and twice the wait of 1s at 1 a second.
		for i := range 4 {
			if resp := ask(); resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("connection %d is answered with %d, want 101", i+1, resp.StatusCode)
			}
		}
		for i, want := range []string{"3", "4", "5", "6"} {
			resp := ask()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			// Up to a tenth sooner or later, and rounded up.
			got := resp.Header.Get("Retry-After")
			if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "try again later") ||
				got != want && got != string(want[0]+1) {
				t.Errorf("connection %d is answered with %d %q, Retry-After %q; want 503, %s or a second more", i+5, resp.StatusCode, body, got, want)
			}
		}
		synctest.Wait() // for the last to be counted
		if st := h.srv.Stats(); st.Upgraded != 4 || st.Refused != 4 || st.TooMany != 4 {
			t.Errorf("counted %d upgraded, %d refused, %d of them as too many; want 4, 4, 4", st.Upgraded, st.Refused, st.TooMany)
		}
		if st := rt.Stats(); st.UpgradesRefused != 4 {
			t.Errorf("the router counted %d upgrades refused, want 4", st.UpgradesRefused)
		}
		time.Sleep(time.Second) // fake time
		if resp := ask(); resp.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("a connection a second later is answered with %d, want 101", resp.StatusCode)
		}
	})
}
