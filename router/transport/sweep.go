package transport

import (
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// pingFrame and rawPingFrame are the pings that all connections share.
var (
	pingFrame    = controlFrame(opPing, nil)
	rawPingFrame = rawControl(rawPing, nil)
)

// A pace says how often the sweeper looks at a connection and what it does
// when, counted in looks. Counting looks and not time keeps a machine that was
// suspended from ending everybody when it wakes up.
type pace struct {
	step     time.Duration // between two steps of the sweeper
	shards   int           // that it sweeps in a step
	look     time.Duration // between two looks at a connection
	interval uint32        // looks without a byte read until a ping
	timeout  uint32        // looks after that until the end
}

// minStep is how long a step takes at least, unless a look is shorter. Pings
// that are due together cost a third of what each costs alone, because they
// and their answers wake fewer threads (BenchmarkPings); but all at once they
// would hold up what else is to be written.
const minStep = 250 * time.Millisecond

// quiet is after how many looks without a byte read the stack of a reader that
// may have grown is replaced.
const quiet = 4

// paceOf divides the shorter of the two times into eight looks.
func paceOf(cfg Config) pace {
	look := min(cfg.PingInterval, cfg.PingTimeout) / 8
	p := pace{step: look / numShards, shards: 1, look: look}
	for p.step < minStep && p.shards < numShards {
		p.shards *= 2
		p.step = look * time.Duration(p.shards) / numShards
	}
	looks := func(d time.Duration) uint32 { return uint32(min((d+look-1)/look, 1<<31)) }
	p.interval, p.timeout = looks(cfg.PingInterval), looks(cfg.PingTimeout)
	return p
}

// A beat is what the sweeper knows of a connection.
type beat struct {
	silent uint32 // looks since something was read, since the ping, or since the end
	stage  stage
	grown  bool // messages came since the reader's stack was new
}

type stage uint8

const (
	listening stage = iota
	pinged
	ending
)

// A duty is what the sweeper must do for a connection.
type duty uint8

const (
	nothing duty = iota
	sendPing
	endIt
	closeIt
	renew
)

// look advances b by one look at a connection. heard is what was read since
// the last one.
func (b *beat) look(heard uint32, p *pace) duty {
	if heard != heardNothing {
		*b = beat{grown: b.grown || heard == heardMessage}
		return nothing
	}
	b.silent++
	switch {
	case b.stage == listening && b.silent >= p.interval:
		b.stage, b.silent = pinged, 0
		return sendPing
	case b.stage == pinged && b.silent >= p.timeout:
		b.stage, b.silent = ending, 0
		return endIt
	case b.stage == ending && b.silent >= p.timeout:
		b.silent = 0
		return closeIt
	case b.grown && b.silent >= quiet:
		b.grown = false
		return renew
	}
	return nothing
}

// sweep looks at all connections, a few shards at a time so that pings are
// spread, until quit is closed.
func (s *Server) sweep() {
	ticker := time.NewTicker(s.pace.step)
	defer ticker.Stop()
	var due []dueConn
	for at := 0; ; {
		select {
		case <-s.quit:
			return
		case <-ticker.C:
		}
		for range s.pace.shards {
			due = s.shards[at].sweep(due[:0], &s.pace)
			for _, d := range due {
				s.see(d)
			}
			clear(due)
			at = (at + 1) % numShards
		}
	}
}

// A dueConn is a connection for which the sweeper must do something.
type dueConn struct {
	conn *conn
	duty duty
}

// see does what is due, without a lock held.
func (s *Server) see(d dueConn) {
	switch d.duty {
	case sendPing:
		ping := pingFrame
		if d.conn.takes > 0 {
			if !s.cfg.PingRawSockets {
				d.conn.slot.heard.CompareAndSwap(heardNothing, heardBytes) // silence says nothing
				return
			}
			ping = rawPingFrame
		}
		s.stats.pings.Add(1)
		d.conn.ping.queued(s.pace.look)
		d.conn.sess.SendControl(ping)
	case endIt:
		if d.conn.sess.Busy() || d.conn.ping.delayed() {
			d.conn.slot.heard.CompareAndSwap(heardNothing, heardBytes) // it may have answered, or cannot have
			return
		}
		s.stats.pingTimeouts.Add(1)
		d.conn.sess.End(wamp.Errorf(wamp.URINetworkFailure, "nothing came within %v of a ping", s.cfg.PingTimeout))
	case closeIt:
		// The session's goodbye has not got through in all that time.
		_ = d.conn.Close() // always nil
	case renew:
		d.conn.wire.nudge()
	}
}
