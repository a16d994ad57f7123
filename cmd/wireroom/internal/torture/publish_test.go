//go:build linux

package torture_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Events go to one of so many channels, and have one of so many tags.
const (
	rooms = 4
	tags  = 4
)

// lastEvents are the events that end a round for a class: between them they are
// for every channel and every tag.
func lastEvents(class, name string) []payload {
	var all []payload
	for i := range rooms {
		all = append(all, payload{Key: fmt.Sprintf("%s-%s-%d", name, class, i), Room: fmt.Sprint("r", i), Tag: i % tags})
	}
	return all
}

// A publisher posts one event after the other by HTTP, in JSON or as calls of
// XML-RPC, and sends those of unknown outcome again.
type publisher struct {
	name    string
	classes []string
	gives   bool // it gives up on an event after the first attempt
	calls   bool // by XML-RPC, of which the receipt is the event's id alone
	cluster *cluster
	rec     *recorder
	rng     *rand.Rand
	client  *http.Client
	n       int
}

func newPublisher(c *cluster, rec *recorder, name string, classes []string, rng *rand.Rand) *publisher {
	return &publisher{name: name, classes: classes, cluster: c, rec: rec, rng: rng, client: &http.Client{
		// Longer than the gateway needs to say that its store is away.
		Timeout: 8 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2},
	}}
}

// run posts until over is closed, and then brings what it has begun to an end.
func (p *publisher) run(ctx context.Context, over <-chan struct{}) {
	defer p.client.CloseIdleConnections()
	for {
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(p.rng.IntN(20)) * time.Millisecond):
		}
		class := p.classes[p.rng.IntN(len(p.classes))]
		if p.rng.IntN(50) == 0 {
			p.invalid(ctx, class)
			continue
		}
		n := 1
		if p.rng.IntN(4) == 0 {
			n += p.rng.IntN(8)
		}
		batch := make([]payload, n)
		for i := range batch {
			p.n++
			batch[i] = payload{Key: fmt.Sprintf("%s-%d", p.name, p.n), Room: fmt.Sprint("r", p.rng.IntN(rooms)), Tag: p.rng.IntN(tags)}
		}
		p.publish(ctx, class, batch, p.gives)
	}
}

// A posted is an event as POST /events takes it.
type posted struct {
	Class string  `json:"class"`
	ID    string  `json:"id"`
	Data  payload `json:"data"`
}

// A receipt is what POST /events answers.
type receipt struct {
	ID     string `json:"id"`
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// publish posts events until their outcome is known, or just once.
func (p *publisher) publish(ctx context.Context, class string, batch []payload, once bool) {
	events := make([]posted, len(batch))
	for i, d := range batch {
		events[i] = posted{class, d.Key, d}
	}
	for try := 0; ctx.Err() == nil; try++ {
		for _, d := range batch {
			p.rec.add(entry{Kind: kindPublish, Who: p.name, ID: d.Key, Class: class, Room: d.Room, Tag: d.Tag, Given: true})
		}
		receipts, err := p.post(ctx, events)
		switch {
		case err == nil:
			for i, r := range receipts {
				if r.ID != batch[i].Key {
					p.rec.wrong(7, p.name, "the receipt for %s is for %s", batch[i].Key, r.ID)
				}
				p.rec.add(entry{Kind: kindOK, Who: p.name, ID: batch[i].Key, Class: class, Epoch: r.Epoch, Offset: r.Offset})
			}
			return
		case errors.As(err, new(refusal)):
			p.rec.wrong(5, p.name, "%s: %v", batch[0].Key, err)
			return
		}
		for _, d := range batch {
			p.rec.add(entry{Kind: kindUnknown, Who: p.name, ID: d.Key, Class: class, Note: err.Error()})
		}
		if once {
			return
		}
		pause(ctx, time.Duration(50+p.rng.IntN(200))*time.Millisecond)
	}
}

// invalid posts an event that its class does not allow.
func (p *publisher) invalid(ctx context.Context, class string) {
	p.n++
	d := payload{Key: fmt.Sprintf("%s-%d", p.name, p.n), Room: "r0", Tag: -1}
	p.rec.add(entry{Kind: kindPublish, Who: p.name, ID: d.Key, Class: class, Room: d.Room, Tag: d.Tag, Given: true})
	_, err := p.post(ctx, []posted{{class, d.Key, d}})
	switch refused := (refusal{}); {
	case errors.As(err, &refused):
		p.rec.add(entry{Kind: kindRefused, Who: p.name, ID: d.Key, Class: class, Note: refused.Error()})
	case err == nil:
		p.rec.wrong(5, p.name, "%s was taken, though its tag is not allowed", d.Key)
	default:
		// What is invalid is refused whatever else is the matter, so it must
		// not come either; but that is for the checker to say.
		p.rec.add(entry{Kind: kindRefused, Who: p.name, ID: d.Key, Class: class, Note: err.Error()})
	}
}

// A refusal is an answer that says that an event is not in the log, and never
// will be.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

// post posts events, one or several, to one of the gateways.
func (p *publisher) post(ctx context.Context, events []posted) ([]receipt, error) {
	if p.calls {
		return p.call(ctx, events)
	}
	var body any = events
	if len(events) == 1 {
		body = events[0]
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.cluster.any(p.rng).front.addr()+"/events", bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+ingestKey)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout:
		return nil, refusal{fmt.Sprintf("%s: %s", resp.Status, answer)}
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s", resp.Status, answer)
	}
	receipts := make([]receipt, len(events))
	if len(events) == 1 {
		err = json.Unmarshal(answer, &receipts[0])
	} else {
		err = json.Unmarshal(answer, &receipts)
	}
	if err == nil && len(receipts) != len(events) {
		err = fmt.Errorf("%d receipts for %d events", len(receipts), len(events))
	}
	return receipts, err
}

// A talker publishes over WAMP and asks for acknowledgements. WAMP's PUBLISH has
// no id, so it never sends an event again.
type talker struct {
	name    string
	classes []string // or topics without a class
	plain   bool
	every   time.Duration // at most, from one to the next
	where   func() string // the address to connect to; empty: nowhere, now
	rec     *recorder
	rng     *rand.Rand
	conn    int
	n       int
}

// run publishes over one connection after the other until over is closed.
func (p *talker) run(ctx context.Context, over <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() {
		defer cancel()
		select {
		case <-over:
		case <-ctx.Done():
		}
	})
	for ctx.Err() == nil {
		if addr := p.where(); addr != "" {
			p.live(ctx, addr)
		}
		pause(ctx, time.Duration(20+p.rng.IntN(200))*time.Millisecond)
	}
}

// live publishes over one connection, until it breaks or ctx is done.
func (p *talker) live(ctx context.Context, addr string) {
	dialing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	w, err := dialWAMP(dialing, addr, identity{}, nil)
	if err != nil {
		return
	}
	p.conn++
	var mu sync.Mutex // guards the following
	under := map[uint64]entry{}
	broken := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(broken)
		for {
			m, err := w.read(time.Now().Add(time.Hour))
			if err != nil {
				return
			}
			var request, id uint64
			e := entry{Kind: kindOK}
			switch m.code {
			case wampPublished:
				err = errors.Join(m.element(1, &request), m.element(2, &id))
			case wampError:
				// Of these events nobody knows: the gateway says that the store
				// is away, or that it is shutting down.
				e.Kind, e.Note = kindUnknown, m.String()
				err = m.element(2, &request)
			default:
				return
			}
			if err != nil {
				p.rec.wrong(7, p.name, "%v", err)
				return
			}
			mu.Lock()
			sent, ok := under[request]
			delete(under, request)
			mu.Unlock()
			if !ok {
				p.rec.wrong(7, p.name, "an answer to what was not asked: %s", m)
			}
			e.Who, e.Conn, e.ID, e.Class = p.name, p.conn, sent.ID, sent.Class
			if !p.plain {
				e.Pub = id
			}
			p.rec.add(e)
		}
	})
	for more := true; more; {
		select {
		case <-broken:
			more = false
			continue
		case <-ctx.Done():
			more = false
			continue
		case <-time.After(time.Duration(p.rng.Int64N(int64(p.every)))):
		}
		p.n++
		d := payload{Key: fmt.Sprintf("%s-%d", p.name, p.n), Room: fmt.Sprint("r", p.rng.IntN(rooms)), Tag: p.rng.IntN(tags)}
		e := entry{Kind: kindPublish, Who: p.name, Conn: p.conn, ID: d.Key, Class: p.classes[p.rng.IntN(len(p.classes))], Room: d.Room, Tag: d.Tag}
		request := w.request()
		mu.Lock()
		under[request] = e
		mu.Unlock()
		p.rec.add(e)
		if err := w.send(wampPublish, request, map[string]any{"acknowledge": true}, e.Class, []any{}, d); err != nil {
			more = false
		}
	}
	w.vanish()
	reading.Wait()
	for _, e := range under {
		e.Kind = kindUnknown
		p.rec.add(e)
	}
}
