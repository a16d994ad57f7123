package router_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A poller is a client of the whole stack that speaks WAMP by HTTP requests:
// it receives by one after the other, or by an event stream, until the
// transport ends.
type poller struct {
	t       testing.TB
	ser     wamp.Serializer
	batched bool
	stream  bool
	url     string // of its transport
	http    *http.Client
	out     chan []byte        // messages to send; never closed
	ctx     context.Context    // done when it hangs up
	cancel  context.CancelFunc // ends it
	wg      sync.WaitGroup

	mu      sync.Mutex // guards the following
	got     [][]byte   // messages, in JSON
	ended   bool       // the server said that there is no such transport
	last    string     // number of the last message that came
	again   chan struct{}
	stalled context.CancelFunc // ends the request to receive that is under way
}

// poll opens a transport and starts to receive.
func (s *stack) poll(ser wamp.Serializer, batched, stream bool) *poller {
	s.t.Helper()
	p := &poller{t: s.t, ser: ser, batched: batched, stream: stream, out: make(chan []byte, 10_000)}
	p.http = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			conn, _ := s.dial()
			return conn, nil
		},
	}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	s.t.Cleanup(p.stop)
	protocol := ser.Subprotocol()
	if batched {
		protocol += ".batched"
	}
	status, body, _ := p.post(p.ctx, "http://localhost/lp/open", []byte(`{"protocols": ["wamp.2.none", "`+protocol+`"]}`))
	var opened struct{ Protocol, Transport string }
	if err := json.Unmarshal(body, &opened); status != http.StatusOK || err != nil || opened.Protocol != protocol {
		s.t.Fatalf("open is answered with %d %s", status, body)
	}
	p.url = "http://localhost/lp/" + opened.Transport
	p.wg.Go(p.receive)
	p.wg.Go(p.sendAll)
	return p
}

// post sends a request and reads its answer; the status is 0 if there is none.
func (p *poller) post(ctx context.Context, url string, body []byte) (status int, answer []byte, header http.Header) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return 0, nil, nil
	}
	resp, err := p.http.Do(r)
	if err != nil {
		return 0, nil, nil
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, nil
	}
	return resp.StatusCode, answer, resp.Header
}

func (p *poller) stop() {
	p.cancel()
	p.wg.Wait()
	p.http.CloseIdleConnections()
}

// hangUp breaks the connection, which here is to say that it is over.
func (p *poller) hangUp() {
	p.post(context.Background(), p.url+"/close", nil)
	p.stop()
}

func (p *poller) sendAll() {
	for {
		select {
		case msg := <-p.out:
			if status, answer, _ := p.post(p.ctx, p.url+"/send", msg); status != http.StatusNoContent && status != http.StatusBadRequest && p.ctx.Err() == nil {
				p.t.Errorf("sending is answered with %d %s", status, answer)
			}
		case <-p.ctx.Done():
			return
		}
	}
}

// receive asks for messages until the transport ends.
func (p *poller) receive() {
	for p.ctx.Err() == nil {
		ctx, cancel := context.WithCancel(p.ctx)
		p.mu.Lock()
		p.stalled = cancel
		again, last := p.again, p.last
		p.mu.Unlock()
		if again != nil {
			select {
			case <-again:
			case <-p.ctx.Done():
			}
			cancel()
			continue
		}
		if p.stream {
			p.follow(ctx, last)
		} else {
			p.fetch(ctx, last)
		}
		cancel()
		p.mu.Lock()
		ended := p.ended
		p.mu.Unlock()
		if ended {
			return
		}
	}
}

// fetch is one request to receive.
func (p *poller) fetch(ctx context.Context, last string) {
	status, body, header := p.post(ctx, p.url+"/receive?x=17&ack="+last, nil)
	switch status {
	case http.StatusOK:
		p.take(header.Get("Wireroom-Seq"), p.split(body)...)
	case http.StatusNotFound:
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
	case 0, http.StatusNoContent:
	default:
		p.t.Errorf("receiving is answered with %d %s", status, body)
	}
}

// follow is one event stream.
func (p *poller) follow(ctx context.Context, last string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/events", nil)
	if err != nil {
		p.t.Error(err)
		return
	}
	r.Header.Set("Last-Event-ID", last)
	resp, err := p.http.Do(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.mu.Lock()
		p.ended = resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusNoContent
		p.mu.Unlock()
		return
	}
	id := ""
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			p.take(id, []byte(value))
		}
	}
}

// split takes a batch apart.
func (p *poller) split(body []byte) (all [][]byte) {
	switch {
	case !p.batched:
		return [][]byte{body}
	case !p.ser.Binary():
		for msg := range bytes.SplitSeq(bytes.TrimSuffix(body, []byte{0x1e}), []byte{0x1e}) {
			all = append(all, msg)
		}
		return all
	}
	for len(body) > 0 {
		n := 4 + int(binary.BigEndian.Uint32(body))
		all, body = append(all, body[4:n]), body[n:]
	}
	return all
}

// take notes messages that came, of which the last has the number.
func (p *poller) take(last string, msgs ...[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = last
	for _, raw := range msgs {
		msg, err := translate(p.ser, wamp.JSON, raw)
		if err != nil {
			p.t.Errorf("the server sent %q: %v", raw, err)
			return
		}
		p.got = append(p.got, msg)
	}
}

// send sends a message that is given in JSON, without waiting.
func (p *poller) send(msg string) {
	raw := []byte(msg)
	if b, err := translate(wamp.JSON, p.ser, raw); err == nil {
		raw = b
	}
	switch {
	case !p.batched:
	case !p.ser.Binary():
		raw = append(bytes.Clone(raw), 0x1e)
	default:
		raw = append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
	}
	p.out <- raw
}

func (p *poller) express(msg string) string { return (&browser{ser: p.ser}).express(msg) }

func (p *poller) act(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what {
	case "stall":
		p.again = make(chan struct{})
		p.stalled()
	case "read":
		if p.again != nil {
			close(p.again)
			p.again = nil
		}
	default:
		return fmt.Errorf("no such act")
	}
	return nil
}

func (p *poller) next() ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		return nil, false
	}
	msg := p.got[0]
	p.got = p.got[1:]
	return msg, true
}

// closed reports whether the transport has ended. A client that does not
// receive has to ask.
func (p *poller) closed() bool {
	p.mu.Lock()
	ended, stalled := p.ended, p.again != nil
	p.mu.Unlock()
	if !ended && stalled {
		status, _, _ := p.post(p.ctx, p.url+"/close", nil)
		return status == http.StatusNotFound
	}
	return ended
}

// A probe of a client by HTTP requests comes back when it says that it has what
// was before. A client that only listens to an event stream is not asked.
func TestProbePoll(t *testing.T) {
	for _, batched := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := new(lookout)
			s := newStackOf(t, newRouterGoverned(t, l), nil)
			joined := func(p *poller) *router.Session {
				t.Helper()
				r := &resumer{t: t}
				p.send(hello)
				r.welcome(p)
				synctest.Wait()
				id, _ := r.session.Int64()
				return s.rt.rt.Realm(testRealm).Session(wamp.ID(id))
			}
			p := s.poll(wamp.CBOR, batched, false)
			session := joined(p)
			if !session.CanProbe(false) || !session.Probe(7) {
				t.Error("a client that says what it has cannot be asked")
			}
			l.answers(t, 7)
			if err := p.act("stall"); err != nil {
				t.Fatal(err)
			}
			p.send(`[32,1,{},"kept.topic"]`)
			synctest.Wait()
			session.Probe(8)
			l.answers(t, 7)
			if err := p.act("read"); err != nil {
				t.Fatal(err)
			}
			l.answers(t, 7, 8)
			session.Probe(9)
			l.answers(t, 7, 8, 9)
			p.hangUp()
			session.Probe(10)
			l.answers(t, 7, 8, 9)

			listens := s.poll(wamp.JSON, batched, true)
			session = joined(listens)
			if session.CanProbe(false) || session.CanProbe(true) || session.Probe(11) {
				t.Error("an event stream can be asked")
			}
			listens.hangUp()
		})
	}
}

// What a client by HTTP requests says that it has is confirmed as by a pong, and
// not kept for its return. An event stream confirms nothing.
func TestResumePollConfirms(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStack(t, func(c *router.Config) { c.Resume.Bytes = 4096 }, nil)
			r := &resumer{t: t}
			a := s.poll(wamp.JSON, false, stream)
			r.join(a)
			a.send(`[32,1,{},"com.example.topic"]`)
			r.next(a)
			for i := range 100 {
				s.rt.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic", Payload: payload(t, fmt.Sprintf("%0100d", i))})
				synctest.Wait()
			}
			if n := len(strings.Fields(r.words(a))); n != 100 {
				t.Fatalf("%d events came, want 100", n)
			}
			if n := s.rt.rt.Stats().Resumption.GivenUp; stream != (n > 0) {
				t.Errorf("stream %v: %d messages were given up", stream, n)
			}
			b := s.connect(wamp.JSON)
			if r.resume(b, -1); r.details["resumed"] != !stream {
				t.Fatalf("stream %v: welcomed with %v", stream, r.details)
			}
			if got := len(strings.Fields(r.words(b))); got > 30 {
				t.Errorf("%d messages came again", got)
			}
		})
	}
}

// Every transcript, by HTTP requests in place of a WebSocket; under the race
// detector only with peers that do so in different ways.
func TestConformancePoll(t *testing.T) {
	type speech struct {
		ser             wamp.Serializer
		batched, stream bool
	}
	variants := map[string][]speech{
		"json":    {{ser: wamp.JSON}},
		"batched": {{ser: wamp.JSON, batched: true}},
		"stream":  {{ser: wamp.JSON, stream: true}},
		"mixed":   {{ser: wamp.MessagePack, batched: true}, {ser: wamp.CBOR}, {ser: wamp.JSON, stream: true}, {ser: wamp.CBOR, batched: true}},
	}
	for _, tr := range transcripts(t) {
		for name, turns := range variants {
			if raceEnabled && name != "mixed" {
				continue
			}
			t.Run(tr.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStackOf(t, tr.router(t), nil)
					n, first := 0, map[string]speech{}
					play(t, tr, func(name string) talker {
						turn := turns[n%len(turns)]
						n++
						name = strings.TrimRight(name, "0123456789")
						if before, again := first[name]; again {
							turn = before
						}
						first[name] = turn
						return s.poll(turn.ser, turn.batched, turn.stream)
					})
				})
			})
		}
	}
}
