//go:build linux

package bench

import (
	"context"
	"errors"
	"net"
	"time"
)

// stalledBuffer is the receive buffer of who does not read: little, so that
// the server soon notices.
const stalledBuffer = 4096

// A victim is the peer that is fed, and reads it or does not.
type victim struct {
	session *session // of one that does not read; nil
	peer    *peer    // of one that does; nil
	lookout *lookout
	began   time.Time // when it stopped reading
	nextID  uint64
	call    *template // what it calls; nil if it does not
	payload []byte
}

// openVictim opens the peer that is fed. In the end it has to be closed.
func (st *stall) openVictim(ctx context.Context, reads bool) (*victim, error) {
	s, err := st.swarm.open(ctx, st.o.serializer(0))
	if err != nil {
		return nil, err
	}
	v := &victim{payload: newPayload(st.o.size)}
	switch st.kind {
	case stallSubscriber:
		err = s.subscribe(st.feedTopic())
	case stallCallee:
		err = s.register(st.feedTopic())
	case stallProgress:
		v.call = newTemplate(s.ser, v.payload, codeCall, dict{"receive_progress": true}, st.echoProcedure())
	case stallResults:
		v.call = newTemplate(s.ser, v.payload, codeCall, dict{}, st.echoProcedure())
	}
	v.nextID = s.nextID
	if err == nil && !reads {
		err = shrink(s.conn)
	}
	if err != nil {
		_ = s.conn.Close()
		return nil, err
	}
	v.lookout, v.began = newLookout(s.conn), time.Now()
	if !reads {
		v.session = s
	} else if v.peer, err = st.swarm.attach(s, 0, sink{}); err != nil {
		return nil, err
	}
	if st.kind == stallProgress {
		st.forgetFeed()
		if !v.ask(phaseFeed) {
			v.close()
			return nil, errors.New("the call for progressive results could not be sent")
		}
	}
	return v, nil
}

// shrink makes the receive buffer of a connection small.
func shrink(c net.Conn) error {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if b, ok := c.(interface{ SetReadBuffer(bytes int) error }); ok {
		return b.SetReadBuffer(stalledBuffer)
	}
	return nil
}

// ask makes a call, and reports whether it could be sent.
func (v *victim) ask(phase byte) bool {
	v.nextID++
	stampPayload(v.payload, phase, v.nextID, clock())
	msg := v.call.append(nil, v.nextID, v.payload)
	if v.peer != nil {
		v.peer.loop.mu.Lock()
		defer v.peer.loop.mu.Unlock()
		return v.peer.send(msg)
	}
	s := v.session
	_ = s.conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	_, err := s.conn.Write(s.framing.append(nil, s.ser, kindMessage, msg, s.mask))
	return err == nil
}

// ended reports whether the server has ended the session.
func (v *victim) ended() bool {
	if v.peer != nil {
		v.peer.loop.mu.Lock()
		defer v.peer.loop.mu.Unlock()
		return v.peer.closed
	}
	return v.lookout.ended()
}

// close closes the connection.
func (v *victim) close() {
	if v.peer == nil {
		_ = v.session.conn.Close()
		return
	}
	l := v.peer.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if !v.peer.closed {
		v.peer.end(nil)
		l.broken-- // it was ours to end
	}
}
