//go:build linux

package bench_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/router"
	"github.com/gammazero/nexus/v3/wamp"
)

// crashNexus is why the router is our own (docs/design/001-own-router.md): a
// topic with exact and prefix subscribers, and a publisher. It returns only
// if nexus's router survives.
func crashNexus() error {
	quiet := log.New(io.Discard, "", 0)
	r, err := router.NewRouter(&router.Config{RealmConfigs: []*router.RealmConfig{{URI: "realm1", AnonymousAuth: true}}}, quiet)
	if err != nil {
		return err
	}
	url := "ws" + strings.TrimPrefix(httptest.NewServer(router.NewWebsocketServer(r)).URL, "http")
	var c *client.Client
	for range 20 {
		if c, err = client.ConnectNet(context.Background(), url, client.Config{Realm: "realm1", Logger: quiet}); err != nil {
			return err
		}
		err = c.Subscribe("a.b.c", func(*wamp.Event) {}, nil)
		for _, prefix := range []string{"a", "a.", "a.b", "a.b."} {
			err = errors.Join(err, c.Subscribe(prefix, func(*wamp.Event) {}, wamp.Dict{"match": "prefix"}))
		}
		if err != nil {
			return err
		}
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if err := c.Publish("a.b.c", nil, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// TestNexusCrash runs crashNexus in a process of its own and expects that the
// process dies of it.
func TestNexusCrash(t *testing.T) {
	if os.Getenv("WIREROOM_CRASH_NEXUS") != "" {
		t.Fatalf("nexus's router survived: %v", crashNexus())
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNexusCrash$")
	cmd.Env = append(os.Environ(), "WIREROOM_CRASH_NEXUS=1", "GOMAXPROCS=8")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "fatal error: concurrent map") {
		t.Fatalf("nexus's router survived (%v); docs/design/001-own-router.md needs a new reason:\n%s", err, out)
	}
	t.Logf("nexus's router: %s", out[:strings.IndexByte(string(out), '\n')])
}
