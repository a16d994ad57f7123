package redis_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

// However many read, and however long that takes, what is appended finds a
// connection.
func TestReadersLeaveConnections(t *testing.T) {
	sv := start(t)
	s := openFor(t, sv.url(), time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for range 5 * redis.Shared {
		wg.Go(func() {
			err := s.Try(ctx, func(ctx context.Context, client goredis.UniversalClient) error {
				return client.BLPop(ctx, time.Hour, "nothing").Err()
			})
			if err == nil {
				t.Error("a key that is not there has a value")
			}
		})
	}
	blocked := func() (n int) {
		_, after, _ := strings.Cut(fmt.Sprint(sv.do("INFO", "clients")), "blocked_clients:")
		fmt.Sscan(after, &n)
		return n
	}
	await(t, "readers have all connections that they may have", func() error {
		if n := blocked(); n < redis.Shared {
			return fmt.Errorf("they have %d", n)
		}
		return nil
	})
	for n := range 20 {
		mustPost(t, s, record(n))
	}
	if n := blocked(); n < redis.Shared {
		t.Errorf("readers have %d connections while events are appended, want %d", n, redis.Shared)
	}
	cancel()
	sv.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	wg.Wait()
}

// A server that says to be of the version answers everything else with OK.
func oldServer(t *testing.T, version string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					command, err := readCommand(in)
					if err != nil {
						return
					}
					switch strings.ToUpper(command) {
					case "INFO":
						text := "# Server\r\nredis_version:" + version + "\r\n"
						fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(text), text)
					case "HELLO":
						fmt.Fprint(conn, "-ERR unknown command 'HELLO'\r\n")
					default:
						fmt.Fprint(conn, "+OK\r\n")
					}
				}
			})
		}
	})
	return ln.Addr().String()
}

// readCommand reads a command and returns its name.
func readCommand(in *bufio.Reader) (name string, err error) {
	number := func(mark string) int {
		line, e := in.ReadString('\n')
		if e != nil {
			err = e
			return 0
		}
		n, e := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, mark)))
		if e != nil {
			err = e
		}
		return n
	}
	for i := range number("*") {
		b := make([]byte, max(0, number("$"))+2)
		if err != nil {
			return "", err
		}
		if _, err := io.ReadFull(in, b); err != nil {
			return "", err
		}
		if i == 0 {
			name = string(b[:len(b)-2])
		}
	}
	return name, err
}

func TestOldServer(t *testing.T) {
	for _, version := range []string{"2.8.24", "5.0.14", "6.0.20"} {
		c := redis.DefaultConfig()
		c.URL, c.Timeout = "redis://"+oldServer(t, version), time.Minute
		s, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler))
		if err == nil {
			s.Close()
		}
		wantError(t, err, events.ErrUnavailable, "is too old", "expected Redis 6.2 or newer, or Valkey, found "+version)
	}
}
