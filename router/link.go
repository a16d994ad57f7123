package router

import (
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A Link carries the bytes of one connection. Package transport implements it.
//
// Exactly one goroutine, the link's reader, calls [Session.Receive],
// [Session.Flush] and at last [Session.Detach]. The methods below are called
// by the router: TryWrite and Write by one goroutine at a time (whoever
// flushes the session), Close by any.
type Link interface {
	// TryWrite writes as many bytes of bufs, in order, as the peer takes
	// without waiting, and returns how many. n less than the total with a
	// nil error means that the rest must wait. A link that cannot write
	// without waiting returns 0, nil. Each of bufs is one framed message, or
	// the rest of one that it took in part. bufs is not changed, and not
	// kept; the bytes, which nobody changes any more, may be.
	TryWrite(bufs [][]byte) (n int, err error)

	// Write writes all of bufs, waiting until the deadline. It may change
	// the slice headers in bufs, never the bytes, and does not keep bufs.
	Write(bufs [][]byte, deadline time.Time) error

	// CloseFrame returns the framed bytes that end the connection in the
	// link's own terms, such as a WebSocket close frame with a status code
	// that fits why, or nil. why is nil after a clean goodbye.
	CloseFrame(why *wamp.Error) []byte

	// Finish is called once, after the last byte was written: the link lets
	// the peer close (a WebSocket closing handshake) for at most the given
	// time and then closes. It does not wait.
	Finish(patience time.Duration)

	// Close ends the connection at once. It unblocks the reader and any
	// Write, and can be called more than once.
	Close() error
}

// A Framing turns encoded messages into what a kind of link writes: a
// WebSocket frame, a RawSocket frame. Framed bytes are the same for every
// receiver, so that one publication is framed once for all of them.
type Framing struct {
	// Index tells framings apart, in 0 to MaxFramings-1.
	Index uint8

	// Headroom is how many bytes Seal needs in front of the message, at most 16.
	Headroom int

	// Seal frames the message that begins at buf[Headroom] and returns the
	// framed bytes, which may be a slice of buf.
	Seal func(buf []byte, s wamp.Serializer) []byte

	// Open returns the message in what Seal returned. It may share memory
	// with frame, which it does not change. It may take as long as Seal.
	Open func(frame []byte) []byte
}

// MaxFramings is how many framings there can be.
const MaxFramings = 6

// A Peer is what a transport knows of who connects.
type Peer struct {
	Serializer wamp.Serializer
	Framing    *Framing
	Transport  string // "websocket", …, for logs and WELCOME
	RemoteAddr string // host:port, for logs and limits
	Secure     bool   // the connection is encrypted

	// MaxFrame is how many bytes a framed message may have for the peer to
	// take it, at least 512 and below 4 GiB, or 0 if there is no such limit.
	// The router sends none that is longer: an event that is counts as missed,
	// a result or an invocation becomes an error for the caller, and anything
	// else ends the session.
	MaxFrame int

	// Identity is what the transport's listener found out about the peer
	// before WAMP began, such as a client token from a cookie. The router
	// hands it to the [Authenticator] and does not look into it, unless it is
	// a [*Grant]: then the peer is a part of the program itself, which is
	// welcome as that says, without being asked and without waiting for its
	// turn.
	Identity any

	// ChannelID returns what tells the peer's TLS connection from every
	// other one, of the type "tls-unique" (RFC 5929) or "tls-exporter" (RFC
	// 9266), or nil if the connection has none of that type. It is nil if the
	// connection has none at all; it may be called until the peer has joined.
	ChannelID func(kind string) []byte
}
