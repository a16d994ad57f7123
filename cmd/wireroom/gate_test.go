package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/wamp"
)

// answerWith returns a handler that yields the given arguments.
func answerWith(args ...any) client.InvocationHandler {
	return func(context.Context, *wamp.Invocation) client.InvokeResult {
		return client.InvokeResult{Args: args}
	}
}

// A fakePeer is a connection in memory.
type fakePeer struct{ recv, send chan wamp.Message }

func newFakePeer() *fakePeer {
	return &fakePeer{recv: make(chan wamp.Message), send: make(chan wamp.Message)}
}

func (p *fakePeer) Close()                    {}
func (p *fakePeer) IsLocal() bool             { return false }
func (p *fakePeer) Recv() <-chan wamp.Message { return p.recv }
func (p *fakePeer) Send() chan<- wamp.Message { return p.send }

// What follows SUBSCRIBED waits until the handler is there.
func TestGateHoldsEventsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newFakePeer()
		g := newGate(inner)
		defer g.Close()
		go func() {
			inner.recv <- &wamp.Subscribed{Request: 1}
			inner.recv <- &wamp.Event{Publication: 7}
		}()
		if _, ok := (<-g.Recv()).(*wamp.Subscribed); !ok {
			t.Fatal("SUBSCRIBED does not come first")
		}
		synctest.Wait()
		select {
		case m := <-g.Recv():
			t.Fatalf("%T passes a closed gate", m)
		default:
		}
		g.open()
		if e, ok := (<-g.Recv()).(*wamp.Event); !ok || e.Publication != 7 {
			t.Fatalf("%v comes after the gate was opened, want the event", e)
		}
	})
}

// What the router said last is what the user is told.
func TestGateExplains(t *testing.T) {
	lost := errors.New("lost")
	tests := []struct {
		name string
		msg  wamp.Message
		want string
		code int
	}{
		{"nothing", &wamp.Event{}, "lost", exitUnreachable},
		{"ERROR", &wamp.Error{Error: "a.b", Arguments: wamp.List{"because"}}, "because (a.b)", exitRefused},
		{"ERROR without text", &wamp.Error{Error: "a.b"}, "a.b", exitRefused},
		{"ABORT", &wamp.Abort{Reason: "a.b", Details: wamp.Dict{"message": "no"}}, "no (a.b)", exitRefused},
		{"ABORT for now", &wamp.Abort{Reason: "a.b", Details: wamp.Dict{"message": "no", "_retry_after": 3.25}}, "no (a.b); try again in 3.25 s", exitRefused},
		{"ABORT for now, in whole seconds", &wamp.Abort{Reason: "a.b", Details: wamp.Dict{"_retry_after": uint64(3)}}, "a.b; try again in 3 s", exitRefused},
		{"ABORT with nonsense", &wamp.Abort{Reason: "a.b", Details: wamp.Dict{"_retry_after": "soon"}}, "a.b", exitRefused},
		{"GOODBYE for now", &wamp.Goodbye{Reason: "a.b", Details: wamp.Dict{"_retry_after": 1.001}}, "the gateway ended the session: a.b; try again in 1.001 s", exitUnreachable},
		{"GOODBYE", &wamp.Goodbye{Reason: "a.b"}, "the gateway ended the session: a.b", exitUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := newFakePeer()
			g := newGate(inner)
			defer g.Close()
			go func() { inner.recv <- tt.msg }()
			<-g.Recv()
			err := g.explain(lost)
			if err.Error() != tt.want || exitCode(err) != tt.code {
				t.Errorf("explain = %q, code %d; want %q, code %d", err, exitCode(err), tt.want, tt.code)
			}
		})
	}
}

// On a connection that is gone nothing waits to be sent.
func TestGateOnALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newFakePeer() // nobody reads what is sent
		g := newGate(inner)
		defer g.Close()
		close(inner.recv)
		if _, ok := <-g.Recv(); ok {
			t.Fatal("a message comes from a lost connection")
		}
		for range 3 {
			g.Send() <- &wamp.Goodbye{}
		}
	})
}

// slowAnswer answers when it is interrupted.
func slowAnswer(ctx context.Context, _ *wamp.Invocation) client.InvokeResult {
	<-ctx.Done()
	return client.InvocationCanceled
}
