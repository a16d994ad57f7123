package presence_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

const realm wamp.URI = "realm1"

// everybody may do everything; nobody joins through it.
type everybody struct{}

func (everybody) Authenticate(context.Context, router.Joining) (*router.Grant, *router.Challenge, error) {
	return nil, nil, errors.New("a part of the program was asked who it is")
}

func (everybody) Authorize(*router.Session, router.Action, wamp.URI, wamp.Match, wamp.Message) router.Decision {
	return router.Decision{Allow: true}
}

// rooms are the rules: it is kept who is on topics below room, for everybody.
type rooms struct{}

func (rooms) Kept(topic wamp.URI) bool                  { return strings.HasPrefix(string(topic), "room.") }
func (rooms) May(*router.Session, wamp.URI) bool        { return true }
func (rooms) Subscribes(*router.Session, wamp.URI) bool { return true }
func (rooms) Hides(*router.Session, wamp.URI) bool      { return false }
func (rooms) Locates(s *router.Session) bool            { return s.AuthID() != "nosy" }

// open returns a router with a keeper; both end with the test.
func open(t testing.TB, change func(*presence.Config)) (*router.Router, *presence.Keeper) {
	rt := router.New(router.DefaultConfig(), everybody{}, slog.New(slog.DiscardHandler))
	cfg := presence.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	k := presence.New(rt.AddRealm(realm, everybody{}, nil), cfg, rooms{}, nil, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := rt.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		k.Close()
		k.Close() // may be called again
	})
	return rt, k
}

func join(t testing.TB, rt *router.Router, authid string) *local.Client {
	t.Helper()
	c, err := local.Join(rt, realm, router.Grant{AuthID: authid, AuthRole: "guest", AuthMethod: "internal"})
	if err != nil {
		t.Fatalf("Join as %q: %v", authid, err)
	}
	t.Cleanup(c.Close)
	return c
}

func subscribe(t testing.TB, c *local.Client, topic wamp.URI) *local.Subscription {
	t.Helper()
	sub, err := c.Subscribe(context.Background(), topic, wamp.SubscribeOptions{}, func(context.Context, *wamp.Event) {})
	if err != nil {
		t.Fatalf("subscribe to %s: %v", topic, err)
	}
	return sub
}

// A told is a join or leave as it comes over the wire.
type told struct {
	Change string
	Seq    uint64
	Missed uint64
	Member listed
}

// A listed is a member as it comes over the wire.
type listed struct {
	ID       uint64
	AuthID   string
	Sessions int
}

// A listener hears the joins and leaves of one topic.
type listener struct {
	c     *local.Client
	topic wamp.URI

	mu   sync.Mutex
	told []told
}

func listen(t testing.TB, c *local.Client, topic wamp.URI) *listener {
	t.Helper()
	l := &listener{c: c, topic: topic}
	_, err := c.Subscribe(context.Background(), presence.Prefix+topic, wamp.SubscribeOptions{}, func(_ context.Context, e *wamp.Event) {
		var one told
		if err := json.Unmarshal(e.Payload.KwArgs, &one); err != nil {
			t.Errorf("an event that cannot be read: %v", err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told = append(l.told, one)
	})
	if err != nil {
		t.Fatalf("listen to %s: %v", topic, err)
	}
	return l
}

func (l *listener) heard() []told {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told
}

// list asks who is there, in pages of so many.
func (l *listener) list(t testing.TB, page int) (members []listed, seq uint64) {
	t.Helper()
	after := uint64(0)
	for {
		result, err := l.c.Call(context.Background(), "wireroom.presence.list", wamp.CallOptions{}, wamp.Payload{
			Serializer: wamp.JSON, Args: fmt.Appendf(nil, "[%q]", l.topic), KwArgs: fmt.Appendf(nil, `{"limit":%d,"after":%d}`, page, after),
		})
		var answer struct {
			Members []listed
			Seq     uint64
			More    bool
		}
		if err == nil {
			err = json.Unmarshal(result.KwArgs, &answer)
		}
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		members = append(members, answer.Members...)
		if !answer.More {
			return members, answer.Seq
		}
		after = members[len(members)-1].ID
	}
}

// check says what is wrong with the order of what a listener has heard, and returns
// who is there by that and by what it was answered, which may be nil.
func check(t testing.TB, heard []told, answered []listed) map[uint64]string {
	t.Helper()
	there, gone := map[uint64]string{}, map[uint64]bool{}
	for _, m := range answered {
		there[m.ID] = m.AuthID
	}
	came := map[uint64]bool{}
	for i, e := range heard {
		if i > 0 && e.Seq != heard[i-1].Seq+1 {
			t.Errorf("after number %d comes %d", heard[i-1].Seq, e.Seq)
		}
		switch id := e.Member.ID; e.Change {
		case "join":
			if came[id] || gone[id] {
				t.Errorf("member %d joins again", id)
			}
			came[id], there[id] = true, e.Member.AuthID
		case "leave":
			if gone[id] {
				t.Errorf("member %d leaves again", id)
			}
			gone[id] = true
		default:
			t.Errorf("change %q", e.Change)
		}
	}
	for id := range gone {
		delete(there, id)
	}
	return there
}
