package transport_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
)

// BenchmarkIdleHTTP reports the memory of clients that wait by HTTP: event
// streams of a topic, and requests to receive that wait. Run it with
// -benchtime=1x.
func BenchmarkIdleHTTP(b *testing.B) {
	n := crowd(1000)
	for _, kind := range []string{"events", "receive"} {
		b.Run("by="+kind, func(b *testing.B) {
			log := slog.New(slog.DiscardHandler)
			rt := router.New(router.DefaultConfig(), everyone{}, log)
			rt.AddRealm("realm1", everyone{}, nil)
			cfg := transport.DefaultEventSourceConfig()
			cfg.Realm = "realm1"
			polls := transport.DefaultLongPollConfig()
			mux := http.NewServeMux()
			mux.Handle("/events", transport.NewEventSource(rt, cfg, log))
			mux.Handle("/lp/", http.StripPrefix("/lp", transport.NewLongPoll(rt, polls, log)))
			l := listenTCP(b)
			hs := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = hs.Serve(l)
			}()
			var fds []int
			defer func() {
				for _, fd := range fds {
					syscall.Close(fd)
				}
				hs.Close()
				<-done
				if err := rt.Shutdown(b.Context()); err != nil {
					b.Error(err)
				}
			}()
			open := func(count int) {
				for range count {
					fds = append(fds, bareListen(b, l.Addr().(*net.TCPAddr), kind))
				}
			}
			for b.Loop() {
				open(100) // what the first ones cost for all
				heap, rss := settle()
				open(n)
				heap2, rss2 := settle()
				b.ReportMetric(float64(heap2-heap)/float64(n), "B/conn")
				b.ReportMetric(float64(rss2-rss)/float64(n), "rss-B/conn")
			}
		})
	}
}

// bareListen connects, and begins to wait, by system calls alone.
func bareListen(b *testing.B, to *net.TCPAddr, kind string) int {
	b.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, 4096)
	ask := func(request, wanted string) string {
		if _, err := syscall.Write(fd, []byte(request)); err != nil {
			b.Fatal(err)
		}
		got := ""
		for !strings.Contains(got, wanted) {
			n, err := syscall.Read(fd, answer)
			if err != nil || n == 0 {
				b.Fatalf("%s is answered with %s, %v", request, got, err)
			}
			got += string(answer[:n])
		}
		return got
	}
	post := func(path, body string) string {
		return fmt.Sprintf("POST /lp/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	}
	if kind == "events" {
		ask("GET /events?topic=com.example.topic HTTP/1.1\r\nHost: localhost\r\n\r\n", "retry:")
		return fd
	}
	opened := ask(post("open", `{"protocols":["wamp.2.json"]}`), "}")
	_, name, _ := strings.Cut(opened, `"transport":"`)
	name, _, _ = strings.Cut(name, `"`)
	ask(post(name+"/send", `[1,"realm1",{"roles":{"subscriber":{}}}]`), "204")
	ask(post(name+"/receive", ""), "[2,")
	ask(post(name+"/send", `[32,1,{},"com.example.topic"]`), "204")
	ask(post(name+"/receive", ""), "[33,")
	if _, err := syscall.Write(fd, []byte(post(name+"/receive", ""))); err != nil {
		b.Fatal(err)
	}
	return fd
}
