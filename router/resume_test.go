package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A resumer is what a client has to know to resume its session.
type resumer struct {
	t       *testing.T
	session json.Number
	token   string
	details map[string]any // of the last WELCOME
}

const resumerRoles = `"roles":{"caller":{},"callee":{},"publisher":{},"subscriber":{}}`

// join has the peer ask for a session that can be resumed.
func (r *resumer) join(c talker) {
	r.t.Helper()
	c.send(`[1,"realm1",{` + resumerRoles + `,"resumable":true}]`)
	r.welcome(c)
}

// resume has the peer ask for the session. received below 0 is that it does not
// count.
func (r *resumer) resume(c talker, received int) {
	r.t.Helper()
	counts := ""
	if received >= 0 {
		counts = fmt.Sprintf(`,"_received":%d`, received)
	}
	c.send(fmt.Sprintf(`[1,"realm1",{%s,"resume-session":%s,"resume-token":%q%s}]`, resumerRoles, r.session, r.token, counts))
	r.welcome(c)
}

// resumeAs is resume with an authid.
func (r *resumer) resumeAs(c talker, authid string) {
	r.t.Helper()
	c.send(fmt.Sprintf(`[1,"realm1",{%s,"authid":%q,"resume-session":%s,"resume-token":%q,"_received":0}]`, resumerRoles, authid, r.session, r.token))
	r.welcome(c)
}

func (r *resumer) welcome(c talker) {
	r.t.Helper()
	synctest.Wait()
	m := r.next(c)
	if intOf(m[0]) != 2 {
		r.t.Fatalf("got %v, want WELCOME", m)
	}
	r.details = m[2].(map[string]any)
	r.session = m[1].(json.Number)
	r.token, _ = r.details["resume_token"].(string)
}

// next returns the next message.
func (r *resumer) next(c talker) []any {
	r.t.Helper()
	synctest.Wait()
	msg, ok := c.next()
	if !ok {
		r.t.Fatal("nothing came")
	}
	v, err := decodeJSON(msg)
	if err != nil {
		r.t.Fatal(err)
	}
	return v.([]any)
}

// words returns the first arguments of the events that came.
func (r *resumer) words(c talker) string {
	r.t.Helper()
	var words []string
	synctest.Wait()
	for {
		msg, ok := c.next()
		if !ok {
			return strings.Join(words, " ")
		}
		v, err := decodeJSON(msg)
		if err != nil {
			r.t.Fatal(err)
		}
		m := v.([]any)
		if intOf(m[0]) != 36 {
			words = append(words, fmt.Sprintf("(%v)", m[0]))
			continue
		}
		word := fmt.Sprint(m[4].([]any)[0])
		if missed := m[3].(map[string]any)["_missed"]; missed != nil {
			word = fmt.Sprintf("%s(%v missed)", word, missed)
		}
		words = append(words, word)
	}
}

func intOf(v any) int {
	n, _ := v.(json.Number).Int64()
	return int(n)
}

// A session can't be resumed in another serializer. The peer is told, and the
// old session is not in the way of the new one.
func TestResumeOtherSerializer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t, nil, nil)
		r := &resumer{t: t}
		a := s.connect(wamp.JSON)
		r.join(a)
		a.send(`[64,1,{},"com.example.proc"]`)
		r.next(a)
		old := r.session
		b := s.connect(wamp.MessagePack) // a is still there
		r.resume(b, 1)
		if r.details["resumed"] != false || r.details["_resume_refused"] != "serializer" || r.session == old {
			t.Errorf("welcomed to %s with %v, want a new session, refused for the serializer", r.session, r.details)
		}
		if !a.closed() {
			t.Error("the old connection is open")
		}
		b.send(`[64,1,{},"com.example.proc"]`)
		if m := r.next(b); intOf(m[0]) != 65 {
			t.Errorf("REGISTER answered with %v", m)
		}
		if got := s.rt.rt.Stats().Resumption; got != (router.Resumption{Resumable: 2, Refused: 1}) {
			t.Errorf("counted %+v", got)
		}
	})
}

// Nothing more is taken from a connection that has lost its session, nor can it
// end that.
func TestResumeStolen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		r := &resumer{t: t}
		a := tr.connect()
		r.join(a)
		a.send(`[32,1,{},"com.example.topic"]`)
		r.next(a)
		b := tr.connect()
		r.resume(b, 1)
		for _, late := range []string{`[16,2,{"exclude_me":false},"com.example.topic",["late"]]`, `[6,{},"wamp.close.normal"]`, "garbage"} {
			if err := a.s.Receive([]byte(late)); err == nil {
				t.Errorf("the connection before was heard: %s", late)
			}
		}
		a.s.Flush()
		a.s.SendControl([]byte("ping"))
		a.s.End(wamp.Errorf(wamp.URIProtocolViolation, "too late"))
		a.s.End(nil)
		a.s.End(&wamp.Error{URI: wamp.URINetworkFailure})
		b.send(`[16,2,{"exclude_me":false},"com.example.topic",["in time"]]`)
		if got := r.words(b); got != "in time" {
			t.Errorf("got %q, want the one event that came in time", got)
		}
	})
}

// Who comes back with other claims may have lost a right by which the session
// subscribed to something: it is another session.
func TestResumeOtherClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		r := &resumer{t: t}
		hello := func(c talker, claims, more string) {
			c.send(fmt.Sprintf(`[1,"realm1",{%s,"authextra":{"claims":%q},%s}]`, resumerRoles, claims, more))
			r.welcome(c)
		}
		a := tr.connect()
		hello(a, `{"team":"blue"}`, `"resumable":true`)
		id, _ := r.session.Int64()
		if got := tr.rt.Realm("realm1").Session(wamp.ID(id)).Claims(); got != `{"team":"blue"}` {
			t.Errorf("Claims = %s", got)
		}
		session, token := r.session, r.token
		again := func(claims string) bool {
			r.session, r.token = session, token
			hello(tr.connect(), claims, fmt.Sprintf(`"resume-session":%s,"resume-token":%q`, session, token))
			return r.details["resumed"] == true
		}
		if again(`{"team":"red"}`) || again("") {
			t.Error("a session was resumed with other claims")
		}
		if !again(`{"team":"blue"}`) {
			t.Error("the session was not resumed with the same claims")
		}
	})
}

// A client that has given up a second connection, too, while that waits for what
// the first is doing, comes back over a third: it gets its session, and the
// answer to what it had called.
func TestResumeOnceMoreWhileResuming(t *testing.T) {
	for _, first := range []string{"stays", "hangs up"} {
		t.Run("the second "+first, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t)
				begun, over := make(chan struct{}), make(chan struct{})
				tr.rt.Realm("realm1").Provide("wireroom.test.slow", func(context.Context, *router.Request) ([]any, map[string]any, error) {
					close(begun)
					<-over
					return []any{"at last"}, nil, nil
				})
				r := &resumer{t: t}
				a := tr.connect()
				r.join(a)
				go a.send(`[48,1,{},"wireroom.test.slow"]`)
				<-begun
				again := fmt.Sprintf(`[1,"realm1",{%s,"resume-session":%s,"resume-token":%q,"_received":0}]`, resumerRoles, r.session, r.token)
				b := tr.connect()
				go b.send(again)
				synctest.Wait()
				if first == "hangs up" {
					go b.hangUp()
					synctest.Wait()
				}
				c := tr.connect()
				go c.send(again)
				synctest.Wait()
				close(over)
				session := r.session
				r.welcome(c)
				if r.details["resumed"] != true || r.session != session || intOf(r.details["_received"]) != 1 {
					t.Fatalf("welcomed with %v, want session %v with one message handled", r.details, session)
				}
				if m := r.next(c); intOf(m[0]) != 50 {
					t.Errorf("then came %v, want RESULT", m)
				}
				if msg, ok := b.next(); ok || !b.closed() || !a.closed() {
					t.Errorf("the second connection got %s (closed: %v, the first: %v)", msg, b.closed(), a.closed())
				}
				c.send(`[48,2,{},"wireroom.test.echo",["hi"]]`)
				if m := r.next(c); intOf(m[0]) != 50 {
					t.Errorf("then came %v, want RESULT", m)
				}
				if got := tr.rt.Stats().Resumption; got.Resumed != 1 || got.Refused != 0 || got.Away != 0 {
					t.Errorf("counted %+v", got)
				}
			})
		})
	}
}

// An asking authorizer takes its time over what begins with "slow.".
type asking struct {
	open
	answer chan struct{}
}

func (a asking) Authorize(s *router.Session, action router.Action, uri wamp.URI, match wamp.Match, m wamp.Message) router.Decision {
	if !strings.HasPrefix(string(uri), "slow.") {
		return a.open.Authorize(s, action, uri, match, m)
	}
	return router.Decision{Ask: func(ctx context.Context) (router.Decision, error) {
		select {
		case <-a.answer:
			return router.Decision{Allow: true}, nil
		case <-ctx.Done():
			return router.Decision{}, ctx.Err()
		}
	}}
}

// A request that is still being thought about when its connection loses the
// session has not been handled: it does not count, and is not answered until it
// comes again.
func TestResumeWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		rules := asking{answer: make(chan struct{})}
		tr.rt.AddRealm("realm2", rules, nil)
		r := &resumer{t: t}
		a := tr.connect()
		a.send(`[1,"realm2",{` + resumerRoles + `,"resumable":true}]`)
		r.welcome(a)
		go a.send(`[32,1,{},"slow.topic"]`)
		synctest.Wait()
		b := tr.connect()
		b.send(fmt.Sprintf(`[1,"realm2",{%s,"resume-session":%s,"resume-token":%q,"_received":0}]`, resumerRoles, r.session, r.token))
		r.welcome(b)
		if n := intOf(r.details["_received"]); r.details["resumed"] != true || n != 0 {
			t.Fatalf("welcomed with %v, want it resumed, and nothing handled", r.details)
		}
		go b.send(`[32,1,{},"slow.topic"]`)
		synctest.Wait()
		if msg, ok := b.next(); ok {
			t.Fatalf("got %s before it was allowed", msg)
		}
		close(rules.answer)
		if m := r.next(b); intOf(m[0]) != 33 {
			t.Errorf("got %v, want SUBSCRIBED", m)
		}
		if got := r.words(b); got != "" {
			t.Errorf("and then %s", got)
		}
	})
}

// Closing a WebSocket without GOODBYE leaves the session to be resumed, and is
// answered as the closing of any other.
func TestResumeAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t, nil, nil)
		r := &resumer{t: t}
		a := s.connect(wamp.JSON)
		r.join(a)
		a.send(`[32,1,{},"com.example.topic"]`)
		r.next(a)
		a.out <- maskedFrame(0x88, []byte{3, 233})
		synctest.Wait()
		if a.close == nil || !a.closed() {
			t.Errorf("the close frame was answered with %q, and the connection closed: %v", a.close, a.closed())
		}
		if got := s.rt.rt.Stats(); got.Resumption.Away != 1 || got.Left != 0 {
			t.Errorf("counted %+v", got)
		}
		s.rt.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic", Payload: payload(t, "x")})
		b := s.connect(wamp.JSON)
		r.resume(b, 1)
		if got := r.words(b); got != "x" {
			t.Errorf("got %q, want x", got)
		}
	})
}

// Nothing follows the close frame of a session that ends for good, whatever it
// has not confirmed.
func TestResumeGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t, nil, nil)
		r := &resumer{t: t}
		a := s.connect(wamp.JSON)
		r.join(a)
		a.send(`[32,1,{},"com.example.topic"]`)
		r.next(a)
		a.send(`[6,{},"wamp.close.close_realm"]`)
		if m := r.next(a); intOf(m[0]) != 6 {
			t.Errorf("got %v, want GOODBYE", m)
		}
		synctest.Wait()
		if a.close == nil || !a.closed() {
			t.Errorf("close frame %q, and the connection closed: %v", a.close, a.closed())
		}
		if a.pings != 0 {
			t.Errorf("%d pings came with the end", a.pings)
		}
	})
}

func payload(t *testing.T, word string) wamp.Payload {
	t.Helper()
	p, err := wamp.NewPayload(wamp.JSON, []any{word}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What was confirmed by a pong is not kept, so that who does not count gets
// little twice; what is beyond the bound is given up, and who lacks it is told.
func TestResumeKeepsWhatIsNotConfirmed(t *testing.T) {
	for _, tt := range []struct {
		name     string
		mute     bool // pings are not answered
		received int
		want     string
	}{
		{"pongs, does not count", false, -1, ""},
		{"pongs, counts", false, 101, ""},
		{"mute, does not count", true, -1, "lost"},
		{"mute, counts and has it", true, 101, ""},
		{"mute, counts and lacks the first", true, 0, "lost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStack(t, func(c *router.Config) { c.Resume.Bytes = 4096 }, nil)
				r := &resumer{t: t}
				a := s.connect(wamp.JSON)
				a.mu.Lock()
				a.mute = tt.mute
				a.mu.Unlock()
				r.join(a)
				a.send(`[32,1,{},"com.example.topic"]`)
				r.next(a)
				for i := range 100 {
					s.rt.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic", Payload: payload(t, fmt.Sprintf("%0100d", i))})
					synctest.Wait()
				}
				if n := len(strings.Fields(r.words(a))); n != 100 {
					t.Fatalf("%d events came, want 100", n)
				}
				a.hangUp()
				if n := s.rt.rt.Stats().Resumption.GivenUp; tt.mute != (n > 0) {
					t.Errorf("%d messages were given up", n)
				}
				b := s.connect(wamp.JSON)
				r.resume(b, tt.received)
				refused, _ := r.details["_resume_refused"].(string)
				if refused != tt.want || r.details["resumed"] != (tt.want == "") {
					t.Fatalf("welcomed with %v, want it refused for %q", r.details, tt.want)
				}
				repeats := 0
				if v, ok := r.details["_repeats"].(json.Number); ok {
					repeats = intOf(v)
				}
				got := strings.Fields(r.words(b))
				if len(got) != repeats || repeats > 30 || tt.received >= 0 && repeats > 0 {
					t.Errorf("%d messages came again, %d are announced", len(got), repeats)
				}
			})
		})
	}
}

// Every way to treat full queues goes on while the session is away, and what
// was dropped is told when it is back.
func TestResumeFullQueue(t *testing.T) {
	for _, tt := range []struct {
		policy router.WhenFull
		want   string // events of two keys that come, of 0 to 99
	}{
		{router.DropOldest, "94(94 missed) 95 96 97 98 99"},
		{router.KeepLatest, "94(94 missed) 95 96 97 98 99"},
	} {
		t.Run(tt.policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, func(c *router.Config) {
					c.QueueBytes, c.WhenFull, c.Linger = 4096, tt.policy, 20*time.Millisecond
				})
				r := &resumer{t: t}
				a := tr.connect()
				r.join(a)
				a.send(`[32,1,{},"com.example.topic"]`)
				r.next(a)
				publish := func(word string) {
					p := payload(t, word)
					p.Args = append(p.Args[:len(p.Args)-1], `,"`+strings.Repeat("x", 560)+`"]`...)
					tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic", Payload: p, Key: 1})
				}
				publish("first")
				time.Sleep(time.Second)
				if got := r.words(a); got != "first" {
					t.Fatalf("got %q", got)
				}
				a.hangUp()
				for i := range 100 {
					publish(fmt.Sprint(i))
				}
				b := tr.connect()
				r.resume(b, 1) // first was lost
				if got, want := r.words(b), "first "+tt.want; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				publish("last")
				time.Sleep(time.Second)
				if got := r.words(b); got != "last" {
					t.Errorf("then %q, want last", got)
				}
			})
		})
	}
}

// One session more than may be without a connection ends as any other.
func TestResumeCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.Resume.Sessions = 1 })
		a, b := tr.connect(), tr.connect()
		ra, rb := &resumer{t: t}, &resumer{t: t}
		ra.join(a)
		rb.join(b)
		a.hangUp()
		synctest.Wait() // or b may be the first to be missed
		b.hangUp()
		synctest.Wait()
		want := router.Resumption{Resumable: 2, Away: 1, WentAway: 1, Crowded: 1}
		if got := tr.rt.Stats(); got.Resumption != want || got.Left != 1 {
			t.Errorf("counted %+v and %d left, want %+v and 1", got.Resumption, got.Left, want)
		}
		a2, b2 := tr.connect(), tr.connect()
		ra.resume(a2, 0)
		rb.resume(b2, 0)
		if ra.details["resumed"] != true || rb.details["resumed"] != false {
			t.Errorf("resumed: %v and %v, want the first only", ra.details["resumed"], rb.details["resumed"])
		}
	})
}

// One user and one address have places of their own, and not those of others.
func TestResumeCrowdedByOne(t *testing.T) {
	for _, tt := range []struct {
		name            string
		perUser, perNet int
		addresses       [4]string // of who goes away, one after the other
		want            router.Resumption
	}{
		{"users", 1, 0, [4]string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4"}, router.Resumption{Away: 2, CrowdedUser: 2}},
		{"an address", 0, 3, [4]string{"192.0.2.1:1", "192.0.2.1:2", "[::ffff:192.0.2.1]:3", "192.0.2.1:4"}, router.Resumption{Away: 3, CrowdedAddress: 1}},
		{"addresses", 0, 1, [4]string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.1:1", "[2001:db8::1]:1"}, router.Resumption{Away: 3, CrowdedAddress: 1}},
		{"networks", 0, 2, [4]string{"[2001:db8::1]:1", "[2001:db8::2:0:0:1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1"}, router.Resumption{Away: 3, CrowdedAddress: 1}},
		{"no addresses", 0, 1, [4]string{"@", "", "/run/socket", "@"}, router.Resumption{Away: 4}},
		{"no bound", 0, 0, [4]string{"192.0.2.1:1", "192.0.2.1:1", "192.0.2.1:1", "192.0.2.1:1"}, router.Resumption{Away: 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, func(c *router.Config) { c.Resume.PerUser, c.Resume.PerAddress = tt.perUser, tt.perNet })
				rs := make([]*resumer, len(tt.addresses))
				for i, address := range tt.addresses {
					c := tr.connectAs(router.Peer{Serializer: wamp.JSON, Framing: plain, Transport: "memory", RemoteAddr: address})
					rs[i] = &resumer{t: t}
					c.send(fmt.Sprintf(`[1,"realm1",{%s,"resumable":true,"authid":"user%d"}]`, resumerRoles, i%2))
					rs[i].welcome(c)
					c.hangUp()
					synctest.Wait()
				}
				tt.want.Resumable, tt.want.WentAway = 4, uint64(tt.want.Away)
				if got := tr.rt.Stats().Resumption; got != tt.want {
					t.Errorf("counted %+v, want %+v", got, tt.want)
				}
				// Who comes back makes room, as does who does not.
				rs[0].resumeAs(tr.connect(), "user0")
				if got := tr.rt.Crowd(); rs[0].details["resumed"] != true || got != tt.want.Away-1 {
					t.Errorf("resumed: %v, and %d are counted", rs[0].details["resumed"], got)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := tr.rt.Stats(); got.Resumption.Away != 0 || got.Joined != got.Left+1 || tr.rt.Crowd() != 0 {
					t.Errorf("after the window %+v, %d joined, %d left, %d counted", got.Resumption, got.Joined, got.Left, tr.rt.Crowd())
				}
			})
		})
	}
}

// Without a window nobody is promised anything, and who asks for a session is
// told that it is not there.
func TestResumeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.Resume.For = 0 })
		r := &resumer{t: t}
		a := tr.connect()
		r.join(a)
		if r.details["resumable"] != nil || r.details["resumed"] != nil || r.token != "" {
			t.Errorf("welcomed with %v", r.details)
		}
		a.hangUp()
		synctest.Wait()
		if n := tr.rt.Realm(testRealm).SessionCount(); n != 0 {
			t.Errorf("%d sessions, want none", n)
		}
		r.token = "mazdJ5q6PLHkEbR3WdJzwA=="
		b := tr.connect()
		r.resume(b, 0)
		if r.details["resumed"] != false || r.details["resumable"] != nil {
			t.Errorf("welcomed with %v, want resumed: false", r.details)
		}
		b.send(`[48,1,{},"wireroom.test.echo",["hi"]]`)
		if m := r.next(b); intOf(m[0]) != 50 {
			t.Errorf("then came %v, want RESULT", m)
		}
	})
}

// Shutdown does not wait for the windows of sessions that are away, and tells
// those that are there.
func TestResumeShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		ra, rb := &resumer{t: t}, &resumer{t: t}
		a, b := tr.connect(), tr.connect()
		ra.join(a)
		rb.join(b)
		a.hangUp()
		synctest.Wait()
		before := time.Now()
		if err := tr.rt.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(before); took > time.Second {
			t.Errorf("Shutdown took %v", took)
		}
		if m := rb.next(b); intOf(m[0]) != 6 || m[2] != string(wamp.URISystemShutdown) {
			t.Errorf("the session that is there got %v", m)
		}
		if stats := tr.rt.Stats(); stats.Left != 2 || stats.Resumption.Away != 0 {
			t.Errorf("counted %+v", stats)
		}
	})
}

// A peer that takes nothing any more, or answers no ping, has lost its
// connection, not its session.
func TestResumeSilentPeer(t *testing.T) {
	for _, how := range []string{"stall", "mute"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStack(t, nil, nil)
				r := &resumer{t: t}
				a := s.connect(wamp.JSON)
				r.join(a)
				a.send(`[32,1,{},"com.example.topic"]`)
				r.next(a)
				if how == "stall" {
					if err := a.act("stall"); err != nil {
						t.Fatal(err)
					}
				} else {
					a.mu.Lock()
					a.mute = true
					a.mu.Unlock()
				}
				s.rt.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic", Payload: payload(t, "x")})
				for range 600 {
					time.Sleep(time.Second)
					if s.rt.rt.Stats().Resumption.Away == 1 {
						break
					}
				}
				b := s.connect(wamp.JSON)
				r.resume(b, 1)
				if got := r.words(b); got != "x" || r.details["resumed"] != true {
					t.Errorf("resumed %v with %q, want x", r.details["resumed"], got)
				}
			})
		})
	}
}

// FuzzResumeHello sends any values of the options of HELLO: the answer is
// WELCOME or a violation, and nobody gets a session that is not his.
func FuzzResumeHello(f *testing.F) {
	f.Add(`true`, `1`, `"x"`, `0`)
	f.Add(`null`, `null`, `null`, `null`)
	f.Add(`1`, `"1"`, `true`, `-1`)
	f.Add(`false`, `9007199254740992`, `""`, `9007199254740993`)
	f.Add(`true`, `4711`, `"mazdJ5q6PLHkEbR3WdJzwA=="`, `1.5`)
	f.Fuzz(func(t *testing.T, resumable, session, token, received string) {
		details := fmt.Sprintf(`{"roles":{"caller":{}},"resumable":%s,"resume-session":%s,"resume-token":%s,"_received":%s}`, resumable, session, token, received)
		if !json.Valid([]byte(details)) {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			tr := newRouter(t)
			r := &resumer{t: t}
			victim := tr.connect()
			r.join(victim)
			victim.hangUp()
			c := tr.connect()
			c.send(`[1,"realm1",` + details + `]`)
			m := r.next(c)
			switch {
			case intOf(m[0]) == 3 && m[2] == string(wamp.URIProtocolViolation):
			case intOf(m[0]) == 2 && m[1] != r.session && m[2].(map[string]any)["resumed"] != true:
			default:
				t.Errorf("HELLO with %s answered with %v", details, m)
			}
		})
	})
}
