package router

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// Resume says for how long a session whose connection broke can be taken up
// again by another, if its peer has asked for that.
type Resume struct {
	// For is how long the session stays without a connection: up to 1h; 0:
	// no session can be resumed.
	For time.Duration

	// Sessions is how many may be without a connection at a time: 1 to
	// 1,000,000. One more ends when its connection breaks.
	Sessions int

	// PerUser and PerAddress are how many of them may be of one authid in a
	// realm, and of one IPv4 address or one IPv6 network of 64 bits: 0 to
	// 1,000,000; 0: any. Peers without an authid, or without an address, are
	// not bounded by that.
	PerUser, PerAddress int

	// Bytes is how much is kept of what was written to one session and is not
	// known to have arrived: 4 KiB to 1 GiB. If there is more, the oldest is
	// given up, and only who has got that can resume. What was not written
	// waits in the session's queue, by the rules of that.
	Bytes int
}

// DefaultResume returns the defaults.
func DefaultResume() Resume {
	return Resume{For: 30 * time.Second, Sessions: 10_000, PerUser: 100, PerAddress: 1000, Bytes: 256 << 10}
}

// A tie is what a session has to do with resumption: exactly one of its fields
// is set.
type tie struct {
	ask     *resumeAsk // of a connection that has no session yet
	seat    *seat      // of a connection, in a session that can be resumed
	lasting *lasting   // of that session
}

func (s *Session) asked() *resumeAsk {
	if t := s.tied.Load(); t != nil {
		return t.ask
	}
	return nil
}

func (s *Session) seat() *seat {
	if t := s.tied.Load(); t != nil {
		return t.seat
	}
	return nil
}

func (s *Session) lasting() *lasting {
	if t := s.tied.Load(); t != nil {
		return t.lasting
	}
	return nil
}

// A resumeAsk is what HELLO says about resumption, and about subscriptions that
// are to be attached again.
type resumeAsk struct {
	again    bool    // the session shall be one that can be resumed
	session  wamp.ID // to resume; 0: none
	token    string
	counts   bool   // the peer says how many messages it has received
	received uint64 // that many

	reattach *reattachAsk // nil: none
}

// readAsk returns what HELLO.Details say about resumption, or nil if that is
// nothing. A null is as good as absent.
func readAsk(details map[string]any) (*resumeAsk, error) {
	if len(details) < 2 { // they have roles
		return nil, nil
	}
	again, given, err := detail[bool](details, "resumable", "bool")
	if err != nil {
		return nil, err
	}
	session, resumes, err := countDetail(details, "resume-session")
	if err != nil {
		return nil, err
	}
	token, hasToken, err := detail[string](details, "resume-token", "string")
	if err != nil {
		return nil, err
	}
	received, counts, err := countDetail(details, "_received")
	switch {
	case err != nil:
		return nil, err
	case !resumes:
		if !again {
			return nil, nil
		}
		return &resumeAsk{again: true, counts: counts, received: received}, nil
	case session == 0:
		return nil, wamp.Errorf(wamp.URIProtocolViolation, "HELLO: Details.resume-session: expected an ID, found 0")
	case !hasToken:
		return nil, wamp.Errorf(wamp.URIProtocolViolation, "HELLO: Details.resume-session: expected resume-token beside it, found none")
	}
	return &resumeAsk{
		again: again || !given, session: wamp.ID(session), token: token, counts: counts, received: received,
	}, nil
}

// detail returns the entry key of HELLO.Details, which must be a T, called kind,
// if it is there.
func detail[T any](details map[string]any, key, kind string) (v T, given bool, err error) {
	found := details[key]
	if found == nil {
		return v, false, nil
	}
	if v, given = found.(T); !given {
		err = wamp.Errorf(wamp.URIProtocolViolation, "HELLO: Details.%s: expected %s", key, kind)
	}
	return v, given, err
}

// countDetail returns the entry key of HELLO.Details, which must be an integer
// in 0 to 2^53 if it is there.
func countDetail(details map[string]any, key string) (n uint64, given bool, err error) {
	switch found := details[key].(type) {
	case nil:
		return 0, false, nil
	case uint64:
		if found <= uint64(wamp.MaxID) {
			return found, true, nil
		}
	case int64:
		if found >= 0 && found <= int64(wamp.MaxID) {
			return uint64(found), true, nil
		}
	}
	return 0, false, wamp.Errorf(wamp.URIProtocolViolation, "HELLO: Details.%s: expected an integer in 0 to 2^53", key)
}

// newResumeToken returns 128 random bits in Base64, as the sketches of the
// specification have it.
func newResumeToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// sameToken compares in constant time. An empty token is no token.
func sameToken(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 && a != ""
}

// Reasons for which a session that is the peer's own can't be resumed, in
// WELCOME.Details._resume_refused.
const (
	refusedSerializer = "serializer" // the connection speaks another
	refusedFrames     = "frame_size" // the connection takes less than the one before
	refusedLost       = "lost"       // messages that the peer lacks are kept no more
	refusedCount      = "count"      // the peer says that it has got more than was sent
)
