package interop_test

import (
	"context"
	"errors"
	"log"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport/serialize"
	"github.com/gammazero/nexus/v3/wamp"
)

// nexus's client is part of the command, so this test always runs. It goes the
// round in Go, over WebSocket and over RawSocket.
func TestNexusClient(t *testing.T) {
	t.Parallel()
	t.Run("websocket", func(t *testing.T) { nexusRounds(t, "ws", "/ws") })
	t.Run("rawsocket", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("elsewhere RawSocket has a port of its own")
		}
		nexusRounds(t, "tcp", "")
	})
}

func nexusRounds(t *testing.T, scheme, path string) {
	for _, s := range []struct {
		name string
		serialize.Serialization
	}{
		{"json", client.JSON},
		{"msgpack", client.MSGPACK},
		{"cbor", client.CBOR},
	} {
		t.Run(s.name, func(t *testing.T) {
			python(t) // which posts
			g := startGateway(t)
			r := nexusRound{
				client: connectNexus(t, g.url(scheme, path), s.Serialization),
				other:  connectNexus(t, g.url(scheme, path), s.Serialization),
				say:    make(chan said, 64),
				own:    "com.example." + roundName("nexus", scheme, s.name),
			}
			go func() {
				defer close(r.say)
				if err := r.run(t.Context()); err != nil {
					r.say <- said{"broken", step{"error": err.Error()}}
				}
			}()
			var c collector
			for line := range r.say {
				c.add(t, g, line.name, line.rest)
			}
			c.check(t, library{details: true})
		})
	}
}

func connectNexus(t *testing.T, url string, s serialize.Serialization) *client.Client {
	t.Helper()
	c, err := client.ConnectNet(t.Context(), url, client.Config{
		Realm:         "realm1",
		Serialization: s,
		Logger:        log.New(t.Output(), "nexus: ", 0),
	})
	if err != nil {
		t.Fatalf("nexus's client cannot join: %v", err)
	}
	return c
}

// said is a step on its way to the collector.
type said struct {
	name string
	rest step
}

// A nexusRound is one round with nexus's client. Its goroutine says the steps.
type nexusRound struct {
	client, other *client.Client
	say           chan said // closed by the goroutine that runs the round
	own           string    // in front of the procedures
}

func (r *nexusRound) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clientTime)
	defer cancel()
	role, _ := wamp.AsString(r.client.RealmDetails()["authrole"])
	r.say <- said{"joined", step{"role": role}}

	arrived := make(chan struct{}, 64)
	for _, s := range []struct{ via, topic, match string }{
		{"exact", "demo.message", wamp.MatchExact},
		{"channel", "demo.message.lobby", wamp.MatchExact},
		{"prefix", "demo", wamp.MatchPrefix},
		{"plain prefix", "chat.room1", wamp.MatchPrefix},
		{"plain wildcard", "chat..said", wamp.MatchWildcard},
	} {
		handler := func(e *wamp.Event) {
			rest := step{"via": s.via, "text": e.ArgumentsKw["text"], "topic": e.Details["topic"]}
			if class, ok := e.Details["_class"]; ok {
				rest["class"] = class
			}
			r.say <- said{"event", rest}
			arrived <- struct{}{}
		}
		if err := r.client.Subscribe(s.topic, handler, wamp.Dict{"match": s.match}); err != nil {
			return err
		}
	}
	r.say <- said{"ready", step{}}
	if err := receive(ctx, arrived, 6); err != nil {
		return err
	}
	if err := r.publish(ctx, arrived); err != nil {
		return err
	}
	if err := r.calls(ctx); err != nil {
		return err
	}
	if err := errors.Join(r.client.Close(), r.other.Close()); err != nil {
		return err
	}
	r.say <- said{"done", step{}}
	return nil
}

func (r *nexusRound) publish(ctx context.Context, arrived <-chan struct{}) error {
	acknowledge := wamp.Dict{"acknowledge": true}
	if err := r.other.Publish("chat.room1.said", acknowledge, nil, wamp.Dict{"text": "by a client"}); err != nil {
		return err
	}
	if err := receive(ctx, arrived, 2); err != nil {
		return err
	}
	r.say <- said{"published", step{"id": true}} // it does not tell the id

	// It turns the ERROR into text: "…: URI: args…: field=text, …".
	err := r.other.Publish("demo.message", acknowledge, nil, wamp.Dict{"room": "lobby"})
	if err == nil {
		return errors.New("an event without its text was accepted")
	}
	refused := step{}
	if uri := errorURI.FindString(err.Error()); uri != "" {
		refused["uri"] = uri
	}
	if field := errorField.FindStringSubmatch(err.Error()); field != nil {
		refused["field"] = field[1]
	}
	r.say <- said{"refused", refused}
	return nil
}

func (r *nexusRound) calls(ctx context.Context) error {
	procedures := map[string]client.InvocationHandler{
		".add": func(_ context.Context, i *wamp.Invocation) client.InvokeResult {
			a, _ := wamp.AsInt64(i.Arguments[0])
			b, _ := wamp.AsInt64(i.Arguments[1])
			return client.InvokeResult{Args: wamp.List{a + b}}
		},
		".count": func(ctx context.Context, i *wamp.Invocation) client.InvokeResult {
			n, _ := wamp.AsInt64(i.Arguments[0])
			for k := range n {
				if err := r.client.SendProgress(ctx, wamp.List{k + 1}, nil); err != nil {
					return client.InvokeResult{Err: "com.example.error.no_progress", Args: wamp.List{err.Error()}}
				}
			}
			return client.InvokeResult{Args: wamp.List{"counted"}}
		},
		".fail": func(context.Context, *wamp.Invocation) client.InvokeResult {
			return client.InvokeResult{Err: "com.example.error.broken", Args: wamp.List{"why"}}
		},
	}
	for name, handler := range procedures {
		if err := r.client.Register(r.own+name, handler, nil); err != nil {
			return err
		}
	}

	sum, err := r.other.Call(ctx, r.own+".add", nil, wamp.List{2, 3}, nil, nil)
	if err != nil {
		return err
	}
	r.say <- said{"called", step{"value": sum.Arguments[0]}}

	var seen []any
	progress := func(res *wamp.Result) { seen = append(seen, res.Arguments[0]) }
	counted, err := r.other.Call(ctx, r.own+".count", nil, wamp.List{3}, nil, progress)
	if err != nil {
		return err
	}
	r.say <- said{"progressed", step{"seen": seen, "value": counted.Arguments[0]}}

	_, err = r.other.Call(ctx, r.own+".fail", nil, nil, nil, nil)
	failed, ok := errors.AsType[client.RPCError](err)
	if !ok {
		return errors.Join(errors.New("a failing procedure did not fail"), err)
	}
	r.say <- said{"failed", step{"uri": failed.Err.Error, "args": failed.Err.Arguments}}

	_, err = r.other.Call(ctx, "com.example.nobody", nil, nil, nil, nil)
	unknown, ok := errors.AsType[client.RPCError](err)
	if !ok {
		return errors.Join(errors.New("a procedure of nobody was called"), err)
	}
	r.say <- said{"unknown", step{"uri": unknown.Err.Error}}
	return nil
}

var (
	errorURI   = regexp.MustCompile(`wireroom\.error\.\w+`)
	errorField = regexp.MustCompile(`\bfield=(\w+)`)
)

// receive waits for n signals.
func receive(ctx context.Context, c <-chan struct{}, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for range n {
		select {
		case <-c:
		case <-ctx.Done():
			return errors.New("events did not come")
		}
	}
	return nil
}
