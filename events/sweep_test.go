package events_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/events"
)

// An untrimmed is a store that trims nothing.
type untrimmed struct{ events.Store }

func (untrimmed) Trim(context.Context, string, events.Retain, time.Time) (int, error) {
	return 0, fmt.Errorf("%w: it is away", events.ErrUnavailable)
}

// When logs cannot be trimmed, that is said once each time, however many they are.
func TestSweepSaysOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer // written by the sweeper, and read when that waits
		h, err := events.NewHub(t.Context(), catalogue(t, classes()), untrimmed{openStore(t)}, new(recorder), events.DefaultConfig(), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(events.DefaultConfig().SweepEvery)
		synctest.Wait()
		got := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(got) != 2 || !strings.Contains(got[0], `msg="cannot trim the logs of classes" classes=2 class=`) || !strings.Contains(got[0], "it is away") {
			t.Errorf("two times it says:\n%s", strings.Join(got, "\n"))
		}
		h.Close()
	})
}
