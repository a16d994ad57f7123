//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A closedPublisher publishes with acknowledgement and keeps a number of
// publishes under way. It belongs to its loop.
type closedPublisher struct {
	topics  []*template
	payload []byte
	buf     []byte
	nextID  uint64
	pending map[uint64]int64 // when it was sent, by request id

	sent    []uint64 // events of the phase, by topic
	phase   byte
	stopped bool
	times   histogram
	acked   uint64
	failed  uint64
	refusal error // the last one
}

// begin starts to count anew.
func (c *closedPublisher) begin(phase byte) {
	c.phase = phase
	clear(c.sent)
	c.times = histogram{}
	c.acked, c.failed = 0, 0
}

// next publishes to the next topic.
func (c *closedPublisher) next(p *peer, now int64) {
	c.nextID++
	k := int(c.nextID % uint64(len(c.topics)))
	c.pending[c.nextID] = now
	stampPayload(c.payload, c.phase, c.sent[k], now)
	c.sent[k]++
	c.buf = c.topics[k].append(c.buf[:0], c.nextID, c.payload)
	p.queue(c.buf)
}

func (c *closedPublisher) receive(p *peer, code uint64, rest, msg []byte, now int64) {
	if code == codeError {
		_, rest, _ = p.ser.readUint(rest) // the type of the request
	}
	id, _, ok := p.ser.readUint(rest)
	at, known := c.pending[id]
	if !ok || !known || code != codePublished && code != codeError {
		p.loop.fail(unexpected(p.ser, msg))
		return
	}
	delete(c.pending, id)
	if code == codePublished {
		c.times.record(now - at)
		c.acked++
	} else {
		c.failed++
		c.refusal = unexpected(p.ser, msg)
	}
	if !c.stopped {
		c.next(p, now)
	}
}

// A patternRun is one measurement.
type patternRun struct {
	o         *options
	load      *patternLoad
	swarm     *swarm
	n         int // patterns
	receivers []*subscriber
	publisher *closedPublisher
	peer      *peer // of the publisher
	done      atomic.Int64
}

// runPattern measures one server with n pattern subscriptions.
func runPattern(ctx context.Context, o *options, load *patternLoad, s *server, n int, say progress) (sample, error) {
	w, err := newSwarm(s.url, &o.login, o.readers)
	if err != nil {
		return nil, err
	}
	defer w.close()
	r := &patternRun{o: o, load: load, swarm: w, n: n}
	before, err := s.procs.memory()
	if err != nil {
		return nil, err
	}
	say("subscribing")
	began := time.Now()
	if err := r.subscribeAll(ctx); err != nil {
		return nil, err
	}
	took := time.Since(began)
	grown, err := s.procs.memory()
	if err != nil {
		return nil, err
	}
	if err := r.openPublisher(ctx); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	sm, err := r.measure(ctx, s, say)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		sm["setup_seconds"] = took.Seconds()
		if len(s.procs) > 0 {
			sm["rss_bytes_per_pattern"] = float64(grown.rss-before.rss) / float64(n)
		}
	}
	return sm, nil
}

// subscribeAll opens the receivers, and as many other sessions as the
// patterns need, within the limit.
func (r *patternRun) subscribeAll(ctx context.Context) error {
	end := time.Now().Add(r.load.setupLimit)
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for range r.load.matching {
		r.receivers = append(r.receivers, &subscriber{})
	}
	others := max(r.n-r.load.matching, 0)
	sessions := (others + r.load.perSession - 1) / r.load.perSession
	err := openMany(limited, r.load.matching, r.o.abreast, nil, r.openReceiver)
	if err == nil {
		err = openMany(limited, sessions, min(r.o.abreast, 8), nil, func(ctx context.Context, i int) error {
			first := i * r.load.perSession
			return r.openOther(ctx, i, first, min(first+r.load.perSession, others))
		})
	}
	// A deadline of a socket may be noticed before that of the context.
	if err != nil && ctx.Err() == nil && !time.Now().Before(end) {
		return &notDoneError{r.load.setupLimit, fmt.Sprintf("%s of %s subscriptions", number(float64(r.done.Load()), 0), number(float64(r.n), 0))}
	}
	return err
}

// openReceiver opens the subscriber of topic k: by a pattern, if there are to
// be patterns.
func (r *patternRun) openReceiver(ctx context.Context, k int) error {
	s, err := r.swarm.open(ctx, r.o.serializer(k))
	if err != nil {
		return err
	}
	err = s.subscribeMany(ctx, k, k+1, &r.done, func(int) (string, dict) {
		if r.n == 0 {
			return patternTopic(r.o.topic, k), dict{}
		}
		pattern, match := matchingPattern(r.o.topic, k)
		return pattern, dict{"match": match}
	})
	if err != nil {
		_ = s.conn.Close()
		return err
	}
	_, err = r.swarm.attach(s, k, r.receivers[k])
	return err
}

// openOther opens session i, which has the patterns from first to before end
// and receives nothing.
func (r *patternRun) openOther(ctx context.Context, i, first, end int) error {
	s, err := r.swarm.open(ctx, r.o.serializer(i))
	if err != nil {
		return err
	}
	err = s.subscribeMany(ctx, first, end, &r.done, func(i int) (string, dict) {
		pattern, match := otherPattern(r.o.topic, i)
		return pattern, dict{"match": match}
	})
	if err != nil {
		_ = s.conn.Close()
		return err
	}
	_, err = r.swarm.attach(s, i, bystander{})
	return err
}

// subscribeMany makes subscriptions first to end-1, some at a time, and adds
// those that were confirmed to done.
func (s *session) subscribeMany(ctx context.Context, first, end int, done *atomic.Int64, what func(i int) (topic string, options dict)) error {
	const abreast = 64
	for first < end {
		var out []byte
		n := min(end-first, abreast)
		for i := range n {
			s.nextID++
			topic, options := what(first + i)
			out = s.framing.append(out, s.ser, kindMessage, newMessage(s.ser, codeSubscribe, s.nextID, options, topic), s.mask)
		}
		_ = s.conn.SetWriteDeadline(time.Now().Add(joinTimeout))
		if _, err := s.conn.Write(out); err != nil {
			return err
		}
		for range n {
			code, _, msg, err := s.receiveBy(answerBy(ctx))
			if err != nil {
				return err
			}
			if code != codeSubscribed {
				return unexpected(s.ser, msg)
			}
			done.Add(1)
		}
		first += n
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// answerBy returns until when an answer must have come: within joinTimeout,
// and hardly after ctx is done.
func answerBy(ctx context.Context) time.Time {
	by := time.Now().Add(joinTimeout)
	if limit, ok := ctx.Deadline(); ok && limit.Before(by) {
		return limit.Add(10 * time.Millisecond)
	}
	return by
}

// openPublisher opens the publisher, which does not publish yet.
func (r *patternRun) openPublisher(ctx context.Context) error {
	s, err := r.swarm.open(ctx, r.o.serializer(0))
	if err != nil {
		return err
	}
	c := &closedPublisher{payload: newPayload(r.o.size), pending: make(map[uint64]int64), sent: make([]uint64, r.load.matching)}
	for k := range r.load.matching {
		c.topics = append(c.topics, newTemplate(s.ser, c.payload, codePublish, dict{"acknowledge": true}, patternTopic(r.o.topic, k)))
	}
	r.publisher = c
	r.peer, err = r.swarm.attach(s, 0, c)
	return err
}

// with calls do with the publisher's loop locked.
func (r *patternRun) with(do func(c *closedPublisher)) {
	r.peer.loop.mu.Lock()
	defer r.peer.loop.mu.Unlock()
	do(r.publisher)
}

// publishFor publishes for d, in a closed loop, and then waits until all is
// acknowledged and delivered, or nothing more comes.
func (r *patternRun) publishFor(ctx context.Context, phase byte, d time.Duration, during func(run func() error) error) error {
	r.with(func(c *closedPublisher) {
		c.begin(phase)
		c.stopped = false
		for range r.load.inFlight {
			c.next(r.peer, clock())
		}
		if !r.peer.closed && !r.peer.waiting {
			r.peer.flush()
		}
	})
	err := during(func() error { return pause(ctx, d) })
	var sent uint64
	r.with(func(c *closedPublisher) {
		c.stopped = true
		for _, n := range c.sent {
			sent += n
		}
	})
	if err != nil {
		return err
	}
	ended := func() (n uint64) {
		r.with(func(c *closedPublisher) { n = c.acked + c.failed })
		return min(n, r.received(phase))
	}
	if err := settle(ctx, ended, sent, drainPatience); err != nil && !errors.Is(err, errStalled) {
		return err
	}
	return nil
}

// received returns how many events of a phase have come.
func (r *patternRun) received(phase byte) uint64 {
	t := r.swarm.totals()
	if phase == phaseWarm {
		return t.warm
	}
	return t.measured
}
