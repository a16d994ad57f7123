package transport

import (
	"context"
	"log/slog"
	"time"

	"github.com/wireroom/wireroom/router"
)

// A Session is what tests attach in place of a router's.
type Session = session

// NewTestServer returns a server with sessions of the test's own.
func NewTestServer(attach func(router.Link, router.Peer) Session, cfg Config, log *slog.Logger) *Server {
	return newServer(attach, cfg, log)
}

// ParsePlain opens the parser of plain requests to tests.
var ParsePlain = parsePlain

// ReadProxyHeader opens the reader of PROXY headers to tests.
var ReadProxyHeader = readProxyHeader

// CheckOrigin and ParseOrigin open the origin rules to tests.
var CheckOrigin = checkOrigin

// ParseOrigins reads an allow list.
func ParseOrigins(list ...string) (out []origin, err error) {
	for _, s := range list {
		o, err := parseOrigin(s)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// An Outcome is what a Feeder found in a stream: messages and control frames
// in order, and the close code of the violation that ended it, or 0.
type Outcome struct {
	Events []string
	Code   uint16
}

// Feed runs stream, in pieces of the sizes that step returns, through the
// buffers and the assembler that a connection uses.
func Feed(stream []byte, limit int, binary, deflate bool, step func() int) (out Outcome, held int) {
	asm := assembler{max: limit, data: opText, deflate: deflate}
	if binary {
		asm.data = opBinary
	}
	return feed(&asm, stream, step)
}

func feed(asm *assembler, stream []byte, step func() int) (out Outcome, held int) {
	var in inbox
	need := 1
	for {
		for {
			f, bad := asm.next(in.bytes())
			if bad != nil {
				out.Code = uint16(bad.code)
				return out, held
			}
			if f.size == 0 {
				need = f.need
				break
			}
			if f.op != opContinuation {
				out.Events = append(out.Events, f.op.String()+":"+string(f.payload))
			}
			if f.op == asm.data {
				asm.release()
			}
			in.take(f.size)
		}
		in.trim()
		if in.buf != nil {
			held = max(held, len(in.buf.b))
		}
		if len(stream) == 0 {
			return out, held
		}
		space := in.room(need)
		n := copy(space, stream[:min(len(stream), max(1, step()))])
		in.added(n)
		stream = stream[n:]
	}
}

// SweepFixture returns a function that sweeps n silent connections once.
func SweepFixture(n int, cfg Config) (sweep func()) {
	s := &Server{pace: paceOf(cfg)}
	for i := range n {
		c := &conn{shard: &s.shards[i%numShards]}
		c.shard.add(c)
	}
	var due []dueConn
	return func() {
		for i := range s.shards {
			due = s.shards[i].sweep(due[:0], &s.pace)
		}
	}
}

// Nudge does to a connection what the sweeper does to replace its goroutine.
func Nudge(link router.Link) { link.(*conn).wire.nudge() }

// Duties returns what the sweeper does at each look at a connection, given
// what was heard before it: '-' nothing, 'b' bytes, 'm' a message. The answer
// has '-' for nothing, 'p' for a ping, 'e' for end, 'c' for close, 'r' for a
// new stack.
func Duties(cfg Config, heard string) string {
	p := paceOf(cfg)
	var (
		b   beat
		out []byte
	)
	for _, h := range heard {
		level := map[rune]uint32{'-': heardNothing, 'b': heardBytes, 'm': heardMessage}[h]
		out = append(out, "-pecr"[b.look(level, &p)])
	}
	return string(out)
}

// ChooseDeflate opens the negotiation to tests.
var ChooseDeflate = chooseDeflate

// Inflate returns the message whose compressed payload is src, or the close
// code that it is answered with, and how much memory the message was given.
func Inflate(src []byte, limit int) (msg []byte, code, held int) {
	a := assembler{max: limit}
	msg, bad := a.inflate(src)
	if bad != nil {
		return nil, int(bad.code), 0
	}
	return msg, 0, len(a.parts.b)
}

// InflateOnly is Inflate without what tests need of it.
func InflateOnly(src []byte, limit int) (code int) {
	out, _, err := inflate(src, limit)
	if err != nil {
		return int(closeBadData)
	}
	out.free()
	return 0
}

// SetAdmit sets what decides how fast connections may come. No connection may
// have come yet.
func SetAdmit(s *Server, admit func() (time.Duration, bool)) { s.admit = admit }

// FeedRaw is Feed for the frames of RawSocket.
func FeedRaw(stream []byte, limit int, binary bool, step func() int) (out Outcome, held int) {
	asm := assembler{max: limit, data: opText, raw: true}
	if binary {
		asm.data = opBinary
	}
	return feed(&asm, stream, step)
}

// Greet returns what a greeting is answered with, and how long the messages are
// that the peer takes; nothing if it is none.
func Greet(b [4]byte, limit int) (answer []byte, takes int) {
	g, no, ok := parseGreeting(b)
	switch {
	case !ok:
		return nil, 0
	case no != rawAccepted:
		return no.answer(), 0
	}
	return g.answer(rawLimit(limit)), g.takes
}

// Unbatch returns the messages of a batch, and whether it holds nothing else.
func Unbatch(batch []byte, binary bool) (msgs []string, ok bool) {
	data := opText
	if binary {
		data = opBinary
	}
	for {
		msg, rest, bad := firstOfBatch(batch, data)
		if bad != nil {
			return msgs, false
		}
		msgs = append(msgs, string(msg))
		if len(rest) == 0 {
			return msgs, true
		}
		batch = rest
	}
}

// WebSocketDeflate returns the framing of a server that compresses messages of
// at least so many bytes.
func WebSocketDeflate(least int) *router.Framing { return deflateFraming(least, new(deflated)) }

// NewTestLongPoll returns a handler with sessions of the test's own.
func NewTestLongPoll(attach func(router.Link, router.Peer) Session, cfg LongPollConfig, log *slog.Logger) *LongPoll {
	return newLongPoll(attach, door{identify: cfg.Identify, log: log}, cfg, log)
}

// ParsePositions and FormatPositions open the ids of event streams to tests.
var ParsePositions = parsePositions

// FormatPositions is the reverse.
func FormatPositions(all []LogPosition) string { return string(appendPositions(nil, all)) }

// LookEvery opens the times of patience to tests.
const LookEvery = lookEvery

// A Patience opens the watch over a client to tests.
type Patience struct{ patience }

// NewPatience returns a watch over a client that has left when gone says so, and
// the context of its requests.
func NewPatience(ctx context.Context, gone func() bool) (*Patience, context.Context) {
	p := &Patience{patience{gone: gone}}
	return p, p.awaitedIn(ctx)
}

// Begin and End enclose a request.
func (p *Patience) Begin() { p.begin() }

// End ends the request.
func (p *Patience) End() { p.end() }

// Spare reports whether the server need not read on.
func (p *Patience) Spare() bool { return p.spare() }
