package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/xconnio/xconn-go"
)

var serializers = map[string]xconn.SerializerSpec{
	"json":    xconn.JSONSerializerSpec,
	"msgpack": xconn.MsgPackSerializerSpec,
	"cbor":    xconn.CBORSerializerSpec,
}

func round(ctx context.Context, url, realm, serializer, name string) error {
	connect := func() (*xconn.Session, error) {
		c := xconn.Client{SerializerSpec: serializers[serializer]}
		return c.Connect(ctx, url, realm)
	}
	client, err := connect()
	if err != nil {
		return err
	}
	other, err := connect()
	if err != nil {
		return err
	}
	emit("joined", object{"role": client.Details().AuthRole()})

	arrived := make(chan struct{}, 64)
	for _, s := range []struct{ via, topic, match string }{
		{"exact", "demo.message", "exact"},
		{"channel", "demo.message.lobby", "exact"},
		{"prefix", "demo", "prefix"},
		{"plain prefix", "chat.room1", "prefix"},
		{"plain wildcard", "chat..said", "wildcard"},
	} {
		handler := func(e *xconn.Event) {
			rest := object{"via": s.via, "text": e.Kwargs()["text"], "topic": e.Details()["topic"]}
			if class, ok := e.Details()["_class"]; ok {
				rest["class"] = class
			}
			emit("event", rest)
			arrived <- struct{}{}
		}
		if err := client.Subscribe(s.topic, handler).Match(s.match).Do().Err; err != nil {
			return err
		}
	}
	emit("ready", nil)
	if err := reach(ctx, arrived, 6); err != nil {
		return err
	}
	if err := publish(ctx, other, arrived); err != nil {
		return err
	}
	if err := call(ctx, client, other, "com.example."+name); err != nil {
		return err
	}
	if err := errors.Join(client.Leave(), other.Leave()); err != nil {
		return err
	}
	emit("done", nil)
	return nil
}

func publish(ctx context.Context, s *xconn.Session, arrived <-chan struct{}) error {
	if err := s.Publish("chat.room1.said").Kwarg("text", "by a client").Acknowledge(true).Do().Err; err != nil {
		return err
	}
	emit("published", object{"id": true}) // it does not tell the ID
	if err := reach(ctx, arrived, 2); err != nil {
		return err
	}
	refused, err := failure(s.Publish("demo.message").Kwarg("room", "lobby").Acknowledge(true).Do().Err)
	if err != nil {
		return err
	}
	emit("refused", object{"uri": refused.URI, "field": refused.Kwargs["field"]})
	return nil
}

func call(ctx context.Context, callee, caller *xconn.Session, own string) error {
	for name, handler := range map[string]xconn.InvocationHandler{
		".add": func(_ context.Context, i *xconn.Invocation) *xconn.InvocationResult {
			a, errA := i.ArgInt64(0)
			b, errB := i.ArgInt64(1)
			if err := errors.Join(errA, errB); err != nil {
				return xconn.NewInvocationError("wamp.error.invalid_argument", err.Error())
			}
			return xconn.NewInvocationResult(a + b)
		},
		".count": func(_ context.Context, i *xconn.Invocation) *xconn.InvocationResult {
			for k := range i.ArgInt64Or(0, 0) {
				if err := i.SendProgress([]any{k + 1}, nil); err != nil {
					return xconn.NewInvocationError("com.example.error.no_progress", err.Error())
				}
			}
			return xconn.NewInvocationResult("counted")
		},
		".fail": func(context.Context, *xconn.Invocation) *xconn.InvocationResult {
			return xconn.NewInvocationError("com.example.error.broken", "why")
		},
	} {
		if err := callee.Register(own+name, handler).Do().Err; err != nil {
			return err
		}
	}
	sum := caller.Call(own+".add").Args(2, 3).DoContext(ctx)
	if sum.Err != nil {
		return sum.Err
	}
	emit("called", object{"value": sum.ArgInt64Or(0, 0)})

	seen := []any{}
	counted := caller.Call(own + ".count").Args(3).ProgressReceiver(func(r *xconn.ProgressResult) {
		seen = append(seen, r.Args()[0])
	}).DoContext(ctx)
	if counted.Err != nil {
		return counted.Err
	}
	emit("progressed", object{"seen": seen, "value": counted.ArgStringOr(0, "")})

	failed, err := failure(caller.Call(own + ".fail").DoContext(ctx).Err)
	if err != nil {
		return err
	}
	emit("failed", object{"uri": failed.URI, "args": failed.Args})
	unknown, err := failure(caller.Call("com.example.nobody").DoContext(ctx).Err)
	if err != nil {
		return err
	}
	emit("unknown", object{"uri": unknown.URI})
	return nil
}

func reach(ctx context.Context, arrived <-chan struct{}, n int) error {
	for i := range n {
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("%d events came, and not %d", i, n)
		}
	}
	return nil
}

// failure returns the WAMP error that must have come.
func failure(err error) (*xconn.Error, error) {
	if e, ok := errors.AsType[*xconn.Error](err); ok {
		return e, nil
	}
	return nil, fmt.Errorf("expected a WAMP error, found %v", err)
}
