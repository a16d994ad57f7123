package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

// sourceRules lets joe do what is not about secrets, and ann, who has a ticket,
// everything. About slow topics it takes four seconds to know.
type sourceRules struct{}

func (sourceRules) Authenticate(_ context.Context, j router.Joining) (*router.Grant, *router.Challenge, error) {
	if len(j.Hello.AuthMethods) == 0 {
		return &router.Grant{AuthID: "joe", AuthRole: "guest", AuthMethod: "anonymous"}, nil, nil
	}
	return nil, &router.Challenge{Method: j.Hello.AuthMethods[0], Answer: func(_ context.Context, signature string, _ map[string]any) (*router.Grant, error) {
		if signature != "good" {
			return nil, wamp.Errorf(wamp.URIAuthenticationFail, "ticket not valid")
		}
		return &router.Grant{AuthID: "ann", AuthRole: "member", AuthMethod: "ticket"}, nil
	}}, nil
}

func (sourceRules) Authorize(s *router.Session, _ router.Action, uri wamp.URI, _ wamp.Match, _ wamp.Message) router.Decision {
	if strings.HasPrefix(string(uri), "slow.") {
		return router.Decision{Ask: func(context.Context) (router.Decision, error) {
			time.Sleep(4 * time.Second)
			return router.Decision{Allow: true}, nil
		}}
	}
	return router.Decision{Allow: s.AuthRole() == "member" || !strings.HasPrefix(string(uri), "secret.")}
}

// A sourceHouse is an EventSource before a real router and behind an HTTP
// server, over pipes in fake time.
type sourceHouse struct {
	t     *testing.T
	es    *transport.EventSource
	rt    *router.Router
	realm *router.Realm
	l     *pipeListener
	http  *http.Client
}

func sources(t *testing.T, change func(*router.Config, *transport.EventSourceConfig), f func(t *testing.T, h *sourceHouse)) {
	httpVersions(t, func(t *testing.T, v httpVersion) { sourcesBy(t, v, change, f) })
}

// sourcesByHand runs a test that writes its requests byte by byte, in HTTP/1.
func sourcesByHand(t *testing.T, change func(*router.Config, *transport.EventSourceConfig), f func(t *testing.T, h *sourceHouse)) {
	synctest.Test(t, func(t *testing.T) { sourcesBy(t, 1, change, f) })
}

// sourcesBy is sources with one version of HTTP, in fake time.
func sourcesBy(t *testing.T, v httpVersion, change func(*router.Config, *transport.EventSourceConfig), f func(t *testing.T, h *sourceHouse)) {
	log := slog.New(slog.DiscardHandler)
	rc, cfg := router.DefaultConfig(), transport.DefaultEventSourceConfig()
	cfg.Realm = "realm1"
	cfg.Position = func(realm, topic wamp.URI) (transport.LogPosition, bool) {
		return transport.LogPosition{Epoch: "E", Offset: 3}, realm == "realm1" && strings.HasPrefix(string(topic), "log.")
	}
	if change != nil {
		change(&rc, &cfg)
	}
	h := &sourceHouse{t: t, rt: router.New(rc, sourceRules{}, log), l: newPipeListener()}
	h.realm = h.rt.AddRealm("realm1", sourceRules{}, nil)
	h.es = transport.NewEventSource(h.rt, cfg, log)
	hs := &http.Server{
		Handler: h.es, ReadTimeout: 35 * time.Second, WriteTimeout: 40 * time.Second,
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Protocols: v.protocols(),
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(h.l) })
	h.http = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return h.l.dial() },
		Protocols:   v.protocols(),
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.rt.Shutdown(ctx); err != nil {
			t.Errorf("Router.Shutdown: %v", err)
		}
		h.http.CloseIdleConnections()
		if err := hs.Shutdown(ctx); err != nil {
			t.Errorf("http.Server.Shutdown: %v", err)
		}
		wg.Wait()
		if n := h.es.Stats().Open; n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
	f(t, h)
}

// get asks for a stream and returns the answer.
func (h *sourceHouse) get(ctx context.Context, query string, header ...string) *http.Response {
	h.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/events?"+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := h.http.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp
}

// listen opens a stream, which begins with the lines of want.
func (h *sourceHouse) listen(want, query string, header ...string) *follower {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	resp := h.get(ctx, query, header...)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(resp.Body)
		h.t.Fatalf("%s is answered with %v %s", query, resp, body)
	}
	f := &follower{t: h.t, events: make(chan string, 10_000), stop: cancel}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(f.events)
		defer resp.Body.Close()
		readEvents(resp.Body, f.events)
	})
	h.t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	f.want("retry: 1000")
	if want != "" {
		f.want(want)
	}
	return f
}

func (f *follower) wantNothing() {
	f.t.Helper()
	synctest.Wait()
	select {
	case e, ok := <-f.events:
		f.t.Errorf("the stream has %q, %v, want nothing", e, ok)
	default:
	}
}

// publish publishes JSON with details of ours.
func (h *sourceHouse) publish(topic, args, kwargs string, fields ...wamp.Field) {
	p := &router.Publication{
		ID: 7, Topic: wamp.URI(topic), Payload: wamp.Payload{Serializer: wamp.JSON, Args: []byte(args), KwArgs: []byte(kwargs)},
		Fields: fields, ShowTopic: len(fields) > 0, WhenFull: router.DropOldest,
	}
	if args == "" {
		p.Payload = wamp.Payload{Serializer: wamp.JSON}
	} else if kwargs == "" {
		p.Payload.KwArgs = nil
	}
	h.realm.Publish(p)
	synctest.Wait()
}

// logged are the details of an event of a retained class.
func logged(offset uint64, more ...wamp.Field) []wamp.Field {
	return append([]wamp.Field{
		wamp.StringField("_event_id", "e"), wamp.StringField("_class", "log.a"), wamp.UintField("_offset", offset), wamp.StringField("_epoch", "E"),
	}, more...)
}

func TestEventSource(t *testing.T) {
	sources(t, nil, func(t *testing.T, h *sourceHouse) {
		s := h.listen("", "topic=chat.lobby&x=1")
		h.publish("chat.lobby", `["hi"]`, "")
		s.want(`event: chat.lobby, data: {"topic":"chat.lobby","publication":7,"args":["hi"],"details":{}}`)
		h.publish("chat.lobby", "[1,\n2,\r\n3]", `{"a":"b"}`)
		s.want(`data: {"topic":"chat.lobby","publication":7,"args":[1, 2,  3],"kwargs":{"a":"b"},"details":{}}`)
		h.publish("chat.lobby", "", "")
		s.want(`data: {"topic":"chat.lobby","publication":7,"details":{}}`)
		h.publish("chat.other", `[]`, "")
		s.wantNothing()

		p := h.listen("", "topic=chat.&match=prefix&topic=order.")
		h.publish("chat.other", `[]`, "")
		p.want(`event: chat.other, data: {"topic":"chat.other","publication":7,"args":[],"details":{"topic":"chat.other"}}`)
		w := h.listen("", "topic=a..c&match=wildcard")
		h.publish("a.b.c", `[]`, "")
		w.want(`event: a.b.c, data: {"topic":"a.b.c","publication":7,"args":[],"details":{"topic":"a.b.c"}}`)

		time.Sleep(2 * time.Minute) // longer than all timeouts of the HTTP server
		for range 8 {
			s.want(":")
		}
		if st := h.es.Stats(); st.Open != 3 || st.Began != 3 || st.Events != 5 {
			t.Errorf("Stats: %+v", st)
		}
		s.stop()
		synctest.Wait()
		if n := h.rt.Stats().Connections; n != 2 {
			t.Errorf("when a client has gone, there are %d sessions, want 2", n)
		}
	})
}

// Each id says how far the logs of all topics have come.
func TestEventSourcePositions(t *testing.T) {
	sources(t, nil, func(t *testing.T, h *sourceHouse) {
		s := h.listen("id: E:3,,E:3", "topic=log.a&topic=chat.lobby&topic=log.b")
		h.publish("log.a", `[]`, `{"n":1}`, logged(4)...)
		s.want(`event: log.a, id: E:4,,E:3, data: {"topic":"log.a","publication":7,"data":{"n":1},"details":{"topic":"log.a","_event_id":"e","_class":"log.a","_offset":4,"_epoch":"E"}}`)
		h.publish("chat.lobby", `[]`, "")
		s.want(`event: chat.lobby, data: {"topic":"chat.lobby","publication":7,"args":[],"details":{}}`)
		h.publish("log.b", `[]`, "", logged(9, wamp.UintField("_missed", 2))...)
		s.want(`event: _missed, data: {"missed":2,"topic":"log.b"}`)
		s.want(`"data":{},"details":{"topic":"log.b","_event_id":"e","_class":"log.a","_offset":9,"_epoch":"E","_missed":2}}`)

		// Of a gap there is no more to be told than that.
		h.publish("log.b", "", "", wamp.StringField("_class", "log.b"), wamp.StringField("_epoch", "F"), wamp.BoolField("_recovered", false))
		s.want(`event: _lost, data: {"topic":"log.b"}`)
		s.want(`id: E:4,,F:0`)
		h.publish("log.b", `[]`, "", logged(20, wamp.BoolField("_recovered", false), wamp.UintField("_lost_from", 10), wamp.UintField("_lost_through", 19))...)
		s.want(`event: _lost, data: {"from":10,"through":19,"topic":"log.b"}`)
		s.want(`"_lost_through":19}}`)

		p := h.listen("", "topic=log.&match=prefix") // a pattern has no log
		h.publish("log.a", `[]`, "", logged(5)...)
		p.want(`event: log.a, data: {"topic":"log.a","publication":7,"data":{},"details":{"topic":"log.a","_event_id":"e","_class":"log.a","_offset":5,"_epoch":"E"}}`)

		// A class that is not retained any more.
		gone := h.listen(`event: _lost, data: {"topic":"chat.lobby"}`, "topic=chat.lobby", "Last-Event-ID", "E:3")
		h.publish("chat.lobby", `[1]`, "")
		gone.want(`"args":[1],"details":{}}`)
	})
}

func TestEventSourceRefused(t *testing.T) {
	token := []string{"Authorization", "Bearer good"}
	tests := []struct {
		name, query string
		header      []string
		status      int
		text        string
	}{
		{"no topic", "", nil, 400, "at least one"},
		{"no topic but others", "match=prefix&since=1", nil, 400, "at least one"},
		{"too many topics", "topic=a" + strings.Repeat("&topic=%d", 70), nil, 400, "at most 64"},
		{"no URI", "topic=a..b", nil, 400, "wamp.error.invalid_uri"},
		{"no policy", "topic=a&match=regex", nil, 400, "match: expected exact, prefix or wildcard"},
		{"no number", "topic=a&last=-1", nil, 400, "last: expected"},
		{"two policies", "topic=a&match=exact&match=prefix", nil, 400, "found 2 times"},
		{"two queries", "topic=a&where=x&where=y", nil, 400, "found 2 times"},
		{"bad query", "topic=%zz", nil, 400, "cannot be read"},
		{"bad id", "topic=a", []string{"Last-Event-ID", "17"}, 400, "Last-Event-ID"},
		{"id of other topics", "topic=a&last_event_id=E:1,E:2", nil, 400, "Last-Event-ID"},
		{"no such realm", "topic=a&realm=nowhere", nil, 404, "wamp.error.no_such_realm"},
		{"no realm", "topic=a&realm=no%20where", nil, 400, "wamp.error.invalid_uri"},
		{"not allowed", "topic=a&topic=secret.x", nil, 403, `"topic":"secret.x"`},
		{"bad token", "topic=a", []string{"Authorization", "Bearer bad"}, 401, "ticket not valid"},
		{"bad token in the query", "topic=a&access_token=bad", nil, 401, "wamp.error.authentication_failed"},
		{"no bearer", "topic=a", []string{"Authorization", "Basic Z29vZA=="}, 401, "Authorization: Bearer"},
		{"two tokens", "topic=a&access_token=good", token, 401, "expected one token"},
		{"allowed", "topic=secret.x", token, 200, "retry"},
		{"allowed by the query", "topic=secret.x&access_token=good", nil, 200, "retry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sources(t, nil, func(t *testing.T, h *sourceHouse) {
				query := tt.query
				for i := range 70 {
					query = strings.Replace(query, "%d", fmt.Sprint(i), 1)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				resp := h.get(ctx, query, tt.header...)
				defer resp.Body.Close()
				line, _ := bufio.NewReader(resp.Body).ReadString('\n')
				if resp.StatusCode != tt.status || !strings.Contains(line, tt.text) {
					t.Errorf("answered with %d %s, want %d %s", resp.StatusCode, line, tt.status, tt.text)
				}
				if tt.status == 200 {
					return
				}
				var p struct {
					Status int
					Detail string
				}
				if err := json.Unmarshal([]byte(line), &p); err != nil || p.Status != tt.status || p.Detail == "" ||
					resp.Header.Get("Content-Type") != "application/problem+json" || (resp.Header.Get("WWW-Authenticate") != "") != (tt.status == 401) {
					t.Errorf("the problem is %s, %v, in %v", line, err, resp.Header)
				}
				synctest.Wait()
				if st := h.es.Stats(); st.Refused != 1 || h.rt.Stats().Connections != 0 {
					t.Errorf("Stats: %+v and %d sessions", st, h.rt.Stats().Connections)
				}
			})
		})
	}
}

// A client that reads too slowly is told what it missed, and one that reads
// nothing is gone in time.
func TestEventSourceSlow(t *testing.T) {
	change := func(c *router.Config, _ *transport.EventSourceConfig) { c.QueueBytes = 32 << 10 }
	open := func(t *testing.T, h *sourceHouse) (net.Conn, *bufio.Reader) {
		conn, err := h.l.dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprint(conn, "GET /events?topic=chat.lobby HTTP/1.1\r\nHost: localhost\r\n\r\n")
		br := bufio.NewReader(conn)
		for line := ""; !strings.Contains(line, "retry:"); {
			var err error
			if line, err = br.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		large := `["` + strings.Repeat("x", 8<<10) + `"]`
		for range 100 {
			h.publish("chat.lobby", large, "")
		}
		return conn, br
	}
	t.Run("told", func(t *testing.T) {
		sourcesByHand(t, change, func(t *testing.T, h *sourceHouse) {
			conn, br := open(t, h)
			events, missed, told := 0, 0, false
			var line string
			for events+missed < 100 {
				var err error
				if line, err = br.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
				var d struct{ Missed int }
				switch {
				case strings.HasPrefix(line, "event: chat.lobby"):
					events++
				case strings.Contains(line, `{"missed":`):
					if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &d); err != nil {
						t.Fatal(err)
					}
					missed += d.Missed
				}
				if events == 8 && !told { // there is room again, for an event that tells
					told = true
					h.publish("chat.lobby", `["last"]`, "")
				}
			}
			if events+missed != 100+1 && events+missed != 100 || missed < 50 || uint64(missed) != h.es.Stats().Missed {
				t.Errorf("%d events and %d missed of 100; Stats: %+v", events, missed, h.es.Stats())
			}
			conn.Close()
		})
	})
	t.Run("gone", func(t *testing.T) {
		sourcesByHand(t, change, func(t *testing.T, h *sourceHouse) {
			open(t, h)
			time.Sleep(11 * time.Second)
			synctest.Wait()
			if st := h.es.Stats(); st.Open != 0 || st.Stalled != 1 || h.rt.Stats().Connections != 0 {
				t.Errorf("after the write timeout: %+v, %d sessions", st, h.rt.Stats().Connections)
			}
		})
	})
}

// A router that shuts down says when to come back, and the stream ends in good
// order.
func TestEventSourceGoodbye(t *testing.T) {
	sources(t, nil, func(t *testing.T, h *sourceHouse) {
		resp := h.get(t.Context(), "topic=chat.lobby")
		var body []byte
		var err error
		read := make(chan struct{})
		go func() {
			body, err = io.ReadAll(resp.Body)
			close(read)
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if err := h.rt.Shutdown(ctx); err != nil || time.Since(begin) != 0 {
			t.Errorf("Shutdown: %v after %v", err, time.Since(begin))
		}
		<-read
		if want := "retry: 1000\n\nretry: 1000\nevent: _goodbye\ndata: {\"message\":\"the router is shutting down\",\"reason\":\"wamp.close.system_shutdown\"}\n\n"; string(body) != want || err != nil {
			t.Errorf("the stream is %q, %v, want %q", body, err, want)
		}
		late := h.get(t.Context(), "topic=chat.lobby")
		defer late.Body.Close()
		if late.StatusCode != 503 || late.Header.Get("Retry-After") == "" {
			t.Errorf("later requests are answered with %d %v", late.StatusCode, late.Header)
		}
	})
}

// However long it takes to decide about each of many topics, a request is
// answered in time, and given up when its client goes.
func TestEventSourceSlowDecisions(t *testing.T) {
	var topics []string
	for i := range 20 {
		topics = append(topics, fmt.Sprintf("topic=slow.%d", i))
	}
	query := strings.Join(topics, "&")
	sources(t, nil, func(t *testing.T, h *sourceHouse) {
		begin := time.Now()
		resp := h.get(t.Context(), query)
		resp.Body.Close()
		if took := time.Since(begin); resp.StatusCode != 503 || took != 32*time.Second {
			t.Errorf("answered with %d after %v, want 503 when the first decision is there after 30s", resp.StatusCode, took)
		}

		conn, err := h.l.dial()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /events?%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query)
		time.Sleep(13 * time.Second)
		conn.Close()
		time.Sleep(4 * time.Second)
		if n := h.es.Stats().Open; n != 0 {
			t.Error("topics are decided about for a client that has gone")
		}
	})
}

// As much as may wait for a session may come while the last topics are decided
// about.
func TestEventSourceHolds(t *testing.T) {
	const events, size = 100, 32 << 10
	change := func(c *router.Config, _ *transport.EventSourceConfig) { c.QueueBytes = events * (size + 1024) }
	sources(t, change, func(t *testing.T, h *sourceHouse) {
		var wg sync.WaitGroup
		wg.Go(func() {
			time.Sleep(time.Second) // the first topic is subscribed to, and the second is asked about
			for n := range events {
				h.publish("chat.lobby", fmt.Sprintf(`[%d,"%s"]`, n, strings.Repeat("x", size)), "")
			}
		})
		f := h.listen("", "topic=chat.lobby&topic=slow.one")
		wg.Wait()
		for n := range events {
			if e := <-f.events; !strings.Contains(e, fmt.Sprintf(`[%d,"xxx`, n)) {
				t.Fatalf("event %d is %.100q", n, e)
			}
		}
		f.wantNothing()
	})
}

func TestEventSourceTooMany(t *testing.T) {
	sources(t, func(_ *router.Config, c *transport.EventSourceConfig) { c.MaxOpen = 1 }, func(t *testing.T, h *sourceHouse) {
		s := h.listen("", "topic=chat.lobby")
		if resp := h.get(t.Context(), "topic=chat.lobby"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "10" {
			t.Errorf("one too many is answered with %d", resp.StatusCode)
		}
		s.stop()
		synctest.Wait()
		h.listen("", "topic=chat.lobby")
		if n := h.es.Stats().TooMany; n != 1 {
			t.Errorf("Stats().TooMany = %d", n)
		}
	})
}

// What is an id is read back as it was; anything else is refused.
func FuzzLogPositions(f *testing.F) {
	for _, s := range []string{"E:1", "E:1,,F:9007199254740991", ",", "", "E:", ":1", "E:1,", "E:-1", "E:1:2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		all, ok := transport.ParsePositions(id)
		if !ok {
			return
		}
		again, ok := transport.ParsePositions(transport.FormatPositions(all))
		if !ok || fmt.Sprint(again) != fmt.Sprint(all) || len(all) > 64 {
			t.Errorf("%q is %v, and then %v", id, all, again)
		}
	})
}
