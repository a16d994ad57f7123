//go:build linux

package bench

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// A publisher sends events to all subscribers.
type publisher interface {
	// publish sends one event. It does not wait for its delivery.
	publish(payload []byte) error

	// acknowledged returns how many events the server has confirmed.
	acknowledged() uint64

	// latency returns how long the confirmations took that came since
	// reset was called; nil if there are none.
	latency() *histogram
	reset()

	close()
}

// A rawPublisher gives whole EVENT frames to a write loop.
type rawPublisher struct {
	conn  net.Conn
	event *template
	buf   []byte
}

func (p *rawPublisher) publish(payload []byte) error {
	frame := appendServerFrame(nil, p.event.append(nil, 1, payload))
	p.buf = binary.BigEndian.AppendUint32(p.buf[:0], uint32(len(frame)))
	p.buf = append(p.buf, frame...)
	_, err := p.conn.Write(p.buf)
	return err
}

func (p *rawPublisher) acknowledged() uint64 { return 0 }
func (p *rawPublisher) latency() *histogram  { return nil }
func (p *rawPublisher) reset()               {}
func (p *rawPublisher) close()               { _ = p.conn.Close() }

// A wampPublisher publishes on a session. A goroutine of its own reads the
// answers until close.
type wampPublisher struct {
	session *session
	event   *template
	wants   bool // acknowledgements
	frame   []byte
	wg      sync.WaitGroup

	mu    sync.Mutex // guards the following
	sent  map[uint64]int64
	acked uint64
	times histogram
	err   error // why the session ended, or the last refusal
}

// newWAMPPublisher takes over a session and starts to read from it.
func newWAMPPublisher(s *session, o *options, payload []byte) *wampPublisher {
	options := dict{}
	if o.acknowledge {
		options["acknowledge"] = true
	}
	p := &wampPublisher{
		session: s,
		event:   newTemplate(s.ser, payload, codePublish, options, o.topic),
		wants:   o.acknowledge,
		sent:    make(map[uint64]int64),
	}
	p.wg.Go(p.read)
	return p
}

func (p *wampPublisher) publish(payload []byte) error {
	s := p.session
	s.nextID++
	p.mu.Lock()
	err := p.err
	if p.wants {
		p.sent[s.nextID] = clock()
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	p.frame = s.framing.append(p.frame[:0], s.ser, kindMessage, p.event.append(nil, s.nextID, payload), s.mask)
	_ = s.conn.SetWriteDeadline(time.Now().Add(joinTimeout))
	_, err = s.conn.Write(p.frame)
	return err
}

// read counts confirmations until the connection ends.
func (p *wampPublisher) read() {
	for {
		code, rest, msg, err := p.session.receiveBy(time.Time{})
		now := clock()
		p.mu.Lock()
		id, _, ok := p.session.ser.readUint(rest)
		switch {
		case err != nil:
			p.err = err
		case code == codePublished && ok:
			if at, known := p.sent[id]; known {
				delete(p.sent, id)
				p.times.record(now - at)
				p.acked++
			}
		default:
			p.err = unexpected(p.session.ser, msg)
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *wampPublisher) acknowledged() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acked
}

func (p *wampPublisher) latency() *histogram {
	if !p.wants {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.times
	return &h
}

func (p *wampPublisher) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times = histogram{}
	clear(p.sent)
}

func (p *wampPublisher) close() {
	_ = p.session.conn.Close()
	p.wg.Wait()
}
