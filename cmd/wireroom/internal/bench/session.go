//go:build linux

package bench

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// joinTimeout bounds each step of a join, connecting included.
const joinTimeout = 20 * time.Second

// perAddress is how many connections to a loopback address are made from one
// client address, before the next 127.0.0.x is taken: there are 28,232 ports.
const perAddress = 8000

// A login says how the generator's sessions join.
type login struct {
	realm    string
	authID   string         // empty: anonymous
	ticket   string         // for authID; never printed
	insecure bool           // accept any certificate
	deflate  bool           // insist on permessage-deflate
	cookie   string         // of a WebSocket handshake; never printed
	roots    *x509.CertPool // of the server that is measured; nil: the system's
	features dict           // of a caller and of a callee; may be nil
}

// A session is a connection on which the generator asks and waits for the
// answer: how each one begins. Only one goroutine uses it. When it is to be
// read by a [loop], that takes it over.
type session struct {
	conn    net.Conn
	framing framing
	ser     serializer
	mask    [4]byte
	unread  []byte // received, not yet consumed
	nextID  uint64 // the last request id used
}

// hello returns the details of HELLO.
func (lg *login) hello() dict {
	details := dict{
		"agent": "wireroom-bench",
		"roles": dict{"publisher": dict{}, "subscriber": dict{}, "caller": dict{}, "callee": dict{}},
	}
	if lg.features != nil {
		roles := details["roles"].(dict)
		roles["caller"], roles["callee"] = dict{"features": lg.features}, dict{"features": lg.features}
	}
	if lg.authID != "" {
		details["authid"] = lg.authID
		details["authmethods"] = list{"ticket"}
	}
	return details
}

// join opens a session in the realm.
func (s *session) join(lg *login) error {
	if err := s.send(codeHello, lg.realm, lg.hello()); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	for {
		code, _, msg, err := s.receive()
		switch {
		case err != nil:
			return fmt.Errorf("join: %w", err)
		case code == codeWelcome:
			return nil
		case code == codeChallenge && lg.ticket != "":
			if err := s.send(codeAuthenticate, lg.ticket, dict{}); err != nil {
				return fmt.Errorf("join: %w", err)
			}
		case code == codeAbort:
			return fmt.Errorf("join realm %q: %w", lg.realm, refusedByAbort(s.ser, msg))
		default:
			return fmt.Errorf("join realm %q: %w", lg.realm, unexpected(s.ser, msg))
		}
	}
}

// subscribe subscribes to a topic.
func (s *session) subscribe(topic string) error { return s.subscribeBy(topic, dict{}) }

// subscribeBy subscribes to a topic with options.
func (s *session) subscribeBy(topic string, options dict) error {
	return s.request(codeSubscribe, codeSubscribed, topic, options, topic)
}

// register registers a procedure.
func (s *session) register(procedure string) error {
	return s.request(codeRegister, codeRegistered, procedure, dict{}, procedure)
}

// publish publishes and waits until the server acknowledged.
func (s *session) publish(topic string, payload []byte) error {
	return s.request(codePublish, codePublished, topic, dict{"acknowledge": true}, topic, list{string(payload)})
}

// request sends [code, id, rest…] and waits for [answer, id, …].
func (s *session) request(code, answer uint64, what string, rest ...any) error {
	s.nextID++
	if err := s.send(code, append(list{s.nextID}, rest...)...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	got, after, msg, err := s.receive()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if id, _, ok := s.ser.readUint(after); got != answer || !ok || id != s.nextID {
		return fmt.Errorf("%s: %w", what, unexpected(s.ser, msg))
	}
	return nil
}

// send writes a message.
func (s *session) send(code uint64, rest ...any) error {
	frame := s.framing.append(nil, s.ser, kindMessage, newMessage(s.ser, code, rest...), s.mask)
	_ = s.conn.SetWriteDeadline(time.Now().Add(joinTimeout))
	_, err := s.conn.Write(frame)
	return err
}

// receive waits for the next message that came in one frame and returns its
// type code, what follows that, and all of it. It is valid until the next
// call.
func (s *session) receive() (code uint64, rest, msg []byte, err error) {
	return s.receiveBy(time.Now().Add(joinTimeout))
}

// receiveBy is receive with a deadline; zero is none.
func (s *session) receiveBy(deadline time.Time) (code uint64, rest, msg []byte, err error) {
	_ = s.conn.SetReadDeadline(deadline)
	for {
		kind, body, n, err := s.framing.next(s.unread)
		if err != nil {
			return 0, nil, nil, err
		}
		if n == 0 {
			if err := s.fill(); err != nil {
				return 0, nil, nil, err
			}
			continue
		}
		s.unread = s.unread[n:]
		if kind == kindPacked {
			if body, err = inflateOnce(body); err != nil {
				return 0, nil, nil, err
			}
			kind = kindMessage
		}
		switch kind {
		case kindMessage:
			code, rest, ok := s.ser.readCode(body)
			if !ok {
				return 0, nil, nil, unexpected(s.ser, body)
			}
			return code, rest, body, nil
		case kindPing:
			if _, err := s.conn.Write(s.framing.append(nil, s.ser, kindPong, body, s.mask)); err != nil {
				return 0, nil, nil, err
			}
		case kindClose:
			return 0, nil, nil, closedError(body)
		case kindFragment, kindLast, kindPackedFragment:
			return 0, nil, nil, errors.New("a fragmented answer, which the generator can't read while it joins")
		case kindPong:
		}
	}
}

// fill reads more.
func (s *session) fill() error {
	buf := make([]byte, len(s.unread)+2048)
	n := copy(buf, s.unread)
	m, err := s.conn.Read(buf[n:])
	s.unread = buf[:n+m]
	if m > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the server closed the connection")
	}
	return err
}

// closedError says what a close frame says.
func closedError(body []byte) error {
	if len(body) < 2 {
		return errors.New("the server closed the connection")
	}
	code := int(body[0])<<8 | int(body[1])
	return errors.New("the server closed the connection: " + strconv.Itoa(code) + " " + string(body[2:]))
}
