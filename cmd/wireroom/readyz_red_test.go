package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

var redRounds = flag.Int("readyz-rounds", 1, "how often TestReadyzRed has Redis fall silent in each way")

// A gateway says at /readyz that Redis is silent, soon after it is, whether it stands
// still or the way to it swallows everything, and whether anybody posts or not. How
// soon is logged.
func TestReadyzRed(t *testing.T) {
	url, _, _ := startRedis(t)
	h, through := startHole(t, url)
	pid := redisPID(t, url)
	stop := func(silent bool) {
		signal := "-CONT"
		if silent {
			signal = "-STOP"
		}
		if out, err := exec.Command("kill", signal, pid).CombinedOutput(); err != nil {
			t.Fatalf("kill %s: %v, %s", signal, err, out)
		}
	}
	for _, way := range []struct {
		name, url string
		silence   func(bool)
	}{{"stopped", url, stop}, {"black hole", through, h.set}} {
		for _, busy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, busy %v", way.name, busy), func(t *testing.T) {
				p := startProgram(t, onRedis(t, way.url))
				quit := make(chan struct{})
				var posting sync.WaitGroup
				defer posting.Wait()
				defer close(quit)
				defer way.silence(false)
				for i := range 4 {
					if busy {
						posting.Go(func() { postUntil(p, i, quit) })
					}
				}
				var took []time.Duration
				for range *redRounds {
					until(t, "/readyz to be green", func() bool { status, _ := readiness(t, p); return status == http.StatusOK })
					start := time.Now()
					way.silence(true)
					until(t, "/readyz to be red", func() bool { status, _ := readiness(t, p); return status != http.StatusOK })
					took = append(took, time.Since(start))
					way.silence(false)
				}
				slices.Sort(took)
				t.Logf("/readyz is red after %v, median %v, at most %v; %d times", took[0].Round(time.Millisecond),
					took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), len(took))
			})
		}
	}
}

// postUntil posts events as fast as they are taken, whatever becomes of them.
func postUntil(p *program, i int, quit <-chan struct{}) {
	pub, err := newHTTPPublisher(p.base, testKey, patience)
	if err != nil {
		return
	}
	defer pub.close()
	for n := 0; ; n++ {
		select {
		case <-quit:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _ = pub.publish(ctx, publication{topic: "demo.message", value: map[string]any{"room": "r", "text": fmt.Sprint(i), "n": n}})
		cancel()
	}
}

// redisPID returns the process of the server behind a socket.
func redisPID(t *testing.T, url string) string {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Network: "unix", Addr: strings.TrimPrefix(url, "redis+unix://")})
	defer client.Close()
	info, err := client.Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "process_id:")
	pid, _, ok := strings.Cut(rest, "\r\n")
	if !ok {
		t.Fatalf("Redis does not say which process it is: %s", info)
	}
	return pid
}
