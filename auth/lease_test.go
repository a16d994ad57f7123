package auth_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// A holder is a session that has joined.
type holder struct {
	mu    sync.Mutex // guards the following
	why   *wamp.Error
	ended int
	at    time.Time
}

func (h *holder) End(why *wamp.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.why, h.at = why, time.Now()
	h.ended++
}

// reason returns why the session ended; empty: it did not.
func (h *holder) reason() wamp.URI {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.why == nil:
		return ""
	case h.ended > 1:
		return wamp.URI(fmt.Sprintf("ended %d times", h.ended))
	}
	return h.why.URI
}

// A stay is what joins by a grant.
type stay struct {
	*holder
	lease *auth.Lease
	grant *auth.Grant
}

func (s stay) joined() auth.Joined {
	return auth.Joined{Realm: "realm1", AuthID: s.grant.AuthID, Role: s.grant.AuthRole, Claims: s.grant.Claims}
}

// house is a realm with sessions that can end.
type house struct {
	*testing.T
	store    *memStore
	sessions *auth.Sessions
	auth     *auth.Auth
}

func newHouse(t *testing.T) *house {
	h := &house{T: t, store: newMemStore()}
	h.sessions = sessionsOf(t, h.store, auth.DefaultSessionConfig())
	policy := must(auth.NewPolicy(map[wamp.URI]auth.Roles{"realm1": {"anonymous": {}, "member": {}, "admin": {}}}))(t)
	h.auth = auth.New(auth.RoleConfig{Anonymous: "anonymous", Default: "member"}, policy, h.sessions, nil)
	return h
}

// run has sessions end for as long as the test runs. It is for a bubble.
func (h *house) run() {
	done := make(chan struct{})
	ctx := h.Context()
	go func() { h.sessions.Run(ctx); close(done) }()
	synctest.Wait()
}

func (h *house) join(g *auth.Grant, err error) stay {
	h.Helper()
	if err != nil || g == nil || g.Terms == nil {
		h.Fatalf("grant %+v, %v; want one with terms", g, err)
	}
	who := &holder{}
	return stay{who, must(h.sessions.Begin(who, g.Terms))(h.T), g}
}

func (h *house) byTicket(ticket auth.Secret) stay {
	h.Helper()
	_, ch, err := h.auth.Begin(h.Context(), "realm1", auth.Hello{AuthMethods: []string{"ticket"}}, nil)
	if err != nil {
		h.Fatal(err)
	}
	return h.join(ch.Answer(h.Context(), string(ticket), nil))
}

func (h *house) byCookie(b *browser) stay {
	h.Helper()
	g, _, err := h.auth.Begin(h.Context(), "realm1", auth.Hello{}, b.identify())
	return h.join(g, err)
}

func (h *house) want(what string, s stay, reason wamp.URI) {
	h.Helper()
	synctest.Wait()
	if got := s.reason(); got != reason {
		h.Errorf("%s: the session ended by %q, want %q", what, got, reason)
	}
}

// A session ends to the moment when its JWT or token does, and not if that was
// renewed before.
func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		start := time.Now()
		b := newBrowser(t, h.sessions)
		b.do("POST", ticket(t, "ada", "member"))
		jwt := h.byTicket(ticket(t, "ada", "member"))
		short, _, err := h.sessions.Issue(t.Context(), "realm1", "bob", []string{"member"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		token, left := h.byTicket(short), h.byTicket(short)
		h.sessions.Release(left.lease)
		cookie := h.byCookie(b)

		h.want("before", jwt, "")
		time.Sleep(2 * time.Hour)
		h.want("the JWT", jwt, wamp.URISessionExpired)
		h.want("the token", token, wamp.URISessionExpired)
		h.want("a session that has left", left, "")
		if leeway := 30 * time.Second; !jwt.at.Equal(start.Add(5*time.Minute+leeway)) && !jwt.at.Equal(start.Add(5*time.Minute)) {
			t.Errorf("the JWT ended after %v", jwt.at.Sub(start))
		}
		if !token.at.Equal(start.Add(time.Hour)) {
			t.Errorf("the token ended after %v", token.at.Sub(start))
		}

		// The cookie is renewed at another gateway over the same store: the
		// session goes on without anybody saying so.
		b.s = sessionsOf(t, h.store, auth.DefaultSessionConfig())
		time.Sleep(20 * day)
		b.do("POST", "")
		b.identify()
		time.Sleep(20 * day)
		h.want("renewed elsewhere", cookie, "")
		time.Sleep(11 * day)
		h.want("the cookie", cookie, wamp.URISessionExpired)
		if !cookie.at.Equal(start.Add(50*day + 2*time.Hour)) {
			t.Errorf("the cookie ended after %v", cookie.at.Sub(start))
		}
		if stats := h.sessions.Stats(); stats.Leases != 0 || stats.Expired != 3 {
			t.Errorf("Stats = %+v", stats)
		}
	})
}

// Many deadlines, in no order, with sessions that come and go.
func TestManyDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		start := time.Now()
		var all []stay
		for i := range 1000 {
			ttl := time.Duration(1+i*7919%1000) * time.Second
			secret, _, err := h.sessions.Issue(t.Context(), "realm1", fmt.Sprint("user", i), []string{"member"}, ttl)
			if err != nil {
				t.Fatal(err)
			}
			s := h.byTicket(secret)
			if i%3 == 0 {
				h.sessions.Release(s.lease)
			}
			all = append(all, s)
		}
		time.Sleep(1001 * time.Second)
		synctest.Wait()
		for i, s := range all {
			ttl := time.Duration(1+i*7919%1000) * time.Second
			if i%3 == 0 && s.ended != 0 || i%3 != 0 && (s.ended != 1 || !s.at.Equal(start.Add(ttl))) {
				t.Fatalf("session %d ended %d times, after %v; want %v", i, s.ended, s.at.Sub(start), ttl)
			}
		}
	})
}

// While the store cannot say whether a token was renewed, its sessions go on
// for a minute; sessions with JWTs are not held up.
func TestEndWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		b := newBrowser(t, h.sessions)
		b.do("POST", "")
		s := h.byCookie(b)
		time.Sleep(30*day - time.Minute)
		h.store.fail = errors.New("away")
		jwt := h.byTicket(ticket(t, "ada", "member"))
		time.Sleep(time.Minute + 59*time.Second)
		h.want("within patience", s, "")
		time.Sleep(2 * time.Second)
		h.want("after it", s, wamp.URISessionExpired)
		time.Sleep(5 * time.Minute)
		h.want("the JWT", jwt, wamp.URISessionExpired)
	})
}

// A store that is away is not asked about each of many sessions, one after the
// other, and nobody who does not need it waits for it.
func TestManyWithoutStore(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers time.Duration // how long it takes to fail
	}{{"refuses", 0}, {"hangs", 2 * time.Second}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				h.run()
				for i := range 1000 {
					h.byTicket(must2(h.sessions.Issue(t.Context(), "realm1", fmt.Sprint("user", i), []string{"member"}, time.Hour))(t))
				}
				ada := ticket(t, "ada", "member")
				jwt := h.byTicket(ada)
				time.Sleep(time.Until(jwt.grant.Terms.Expires()) - 10*time.Second)
				var asked atomic.Int64
				end := time.Now().Add(10 * time.Second)
				h.store.afterRead = func() {
					asked.Add(1)
					if time.Now().Before(end.Add(10 * time.Second)) {
						time.Sleep(test.answers)
					}
				}
				h.store.setFail(errors.New("away"))
				h.sessions.LookAgain()
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if late := jwt.at.Sub(end); jwt.ended != 1 || late > test.answers {
					t.Errorf("the session of the JWT ended %d times, %v late", jwt.ended, late)
				}
				if n := asked.Load(); n > 20 || n < 5 {
					t.Errorf("the store was asked %d times in 20 s, want at most each second", n)
				}
				h.store.setFail(nil)
				time.Sleep(time.Minute) // or it would be asked still
			})
		})
	}
}

// Without its token a session that nobody is logged in at has no device, and is
// told to join again.
func TestDeviceIsGone(t *testing.T) {
	h := newHouse(t)
	b := newBrowser(t, h.sessions)
	b.do("POST", "")
	s := h.byCookie(b)
	for hash := range h.store.tokens {
		delete(h.store.tokens, hash)
	}
	_, err := h.sessions.DevicesOf(t.Context(), s.lease)
	if e, ok := errors.AsType[*wamp.Error](err); !ok || e.URI != wamp.URISessionExpired {
		t.Errorf("DevicesOf: %v, want %s", err, wamp.URISessionExpired)
	}
}

// What revokes a token ends what has joined by it, at this gateway at once and
// at others when they are told, and nothing else.
func TestRevocationEndsSessions(t *testing.T) {
	for name, revoke := range map[string]func(h *house, b *browser){
		"DELETE":       func(h *house, b *browser) { b.do("DELETE", "") },
		"another user": func(h *house, b *browser) { b.do("POST", ticket(h.T, "eve", "member")) },
		"other roles":  func(h *house, b *browser) { b.do("POST", ticket(h.T, "ada", "admin")) },
		"the user's":   func(h *house, b *browser) { must(h.sessions.RevokeUser(h.Context(), "realm1", "ada", "", false))(h.T) },
		"by the client": func(h *house, b *browser) {
			must(h.sessions.RevokeClient(h.Context(), "realm1", "ada", b.identify().Client))(h.T)
		},
		"a theft": func(h *house, b *browser) {
			old := b.cookie.Value
			for range 2 {
				time.Sleep(day)
				b.do("POST", "")
				b.identify()
			}
			b.withCookie(old).identify()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				b, other := newBrowser(t, h.sessions), newBrowser(t, h.sessions)
				b.do("POST", ticket(t, "ada", "member"))
				other.do("POST", ticket(t, "adam", "member"))
				elsewhere := &house{T: t, store: h.store, sessions: sessionsOf(t, h.store, auth.DefaultSessionConfig())}
				elsewhere.auth = h.auth
				h.sessions.OnRevocation(elsewhere.sessions.End)
				var mine []stay
				for range 3 {
					mine = append(mine, h.byCookie(b))
				}
				mine = append(mine, elsewhere.byCookie(b))
				not := h.byCookie(other)
				gone := h.byCookie(b)
				h.sessions.Release(gone.lease)
				late := b.identify() // looked up before, joins after
				revoke(h, b)
				for i, s := range mine {
					h.want(fmt.Sprintf("session %d", i), s, wamp.URISessionRevoked)
				}
				h.want("of another user", not, "")
				h.want("that has left", gone, "")
				g, _, err := h.auth.Begin(t.Context(), "realm1", auth.Hello{}, late)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range []*auth.Sessions{h.sessions, elsewhere.sessions} {
					if _, err := s.Begin(&holder{}, g.Terms); err == nil {
						t.Error("who was looked up before joins after the revocation")
					}
				}
				if stats := h.sessions.Stats(); stats.Ended != 3 || stats.Leases != 1 {
					t.Errorf("Stats = %+v", stats)
				}
			})
		})
	}
}

// Who joined before the login, at a gateway that has not heard of it, can log
// itself out, and not the user who has come since: it may be whoever planted the
// cookie.
func TestAnonymousRevokesOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := newBrowser(t, h.sessions)
		b.do("POST", "")
		before := h.byCookie(b)
		client := b.identify().Client
		b.do("POST", ticket(t, "ada", "member"))
		after := h.byCookie(b)
		if _, err := h.sessions.RevokeOf(t.Context(), before.lease, client, false); err != nil {
			t.Fatal(err)
		}
		h.want("before the login", before, wamp.URISessionRevoked)
		h.want("after the login", after, "")
		if b.identify().User != "ada" {
			t.Error("the user's cookie is not good any more")
		}
	})
}

// Joining and revoking at the same time: no session is left over.
func TestJoinWhileRevoked(t *testing.T) {
	h := newHouse(t)
	for range 200 {
		b := newBrowser(t, h.sessions)
		b.do("POST", ticket(t, "ada", "member"))
		var wg sync.WaitGroup
		left := make([]stay, 4)
		for i := range left {
			id := b.identify()
			wg.Go(func() {
				g, _, err := h.auth.Begin(t.Context(), "realm1", auth.Hello{}, id)
				if err != nil {
					t.Error(err)
					return
				}
				who := &holder{}
				if lease, err := h.sessions.Begin(who, g.Terms); err == nil {
					left[i] = stay{who, lease, g}
				}
			})
		}
		wg.Go(func() { b.s.ServeHTTP(nullWriter{}, deleteRequest(t, auth.Secret(b.cookie.Value))) })
		wg.Wait()
		for i, s := range left {
			if s.holder != nil && s.reason() != wamp.URISessionRevoked {
				t.Fatalf("session %d is left over", i)
			}
		}
	}
	if n := h.sessions.Stats().Leases; n != 0 {
		t.Errorf("%d leases are left", n)
	}
}

// Renewing and revoking at the same time: the session ends.
func TestRenewWhileRevoked(t *testing.T) {
	h := newHouse(t)
	for range 200 {
		secret, _, err := h.sessions.Issue(t.Context(), "realm1", "ada", []string{"member"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		s := h.byTicket(secret)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = h.auth.Renew(t.Context(), s.lease, s.joined(), secret) })
		wg.Go(func() { must(h.sessions.RevokeUser(t.Context(), "realm1", "ada", "", false))(t) })
		wg.Wait()
		if s.reason() != wamp.URISessionRevoked {
			t.Fatal("the session goes on")
		}
	}
}

// What a session can be renewed by, in place.
func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.run()
		start := time.Now()
		b := newBrowser(t, h.sessions)
		b.do("POST", ticket(t, "ada", "member"))
		cookie, jwt := h.byCookie(b), h.byTicket(ticket(t, "ada", "member"))
		mine := must2(h.sessions.Issue(t.Context(), "realm1", "bob", []string{"member"}, 40*day))(t)
		theirs := must2(h.sessions.Issue(t.Context(), "realm1", "bob", []string{"member"}, time.Hour))(t)
		program := h.byTicket(mine)
		time.Sleep(time.Minute)
		for _, tt := range []struct {
			name   string
			stay   stay
			ticket auth.Secret
			want   wamp.URI // "": it goes on
			left   time.Duration
		}{
			{"JWT by JWT", jwt, ticket(t, "ada", "member"), "", 5 * time.Minute},
			{"JWT by nothing", jwt, "", wamp.URIInvalidArgument, 0},
			{"JWT by another user's", jwt, ticket(t, "eve", "member"), wamp.URINotAuthorized, 0},
			{"JWT with another role", jwt, ticket(t, "ada", "admin"), wamp.URISessionChanged, 0},
			{"JWT with no role that there is", jwt, ticket(t, "ada", "ghost"), wamp.URISessionChanged, 0},
			{"JWT by a client token", jwt, mine, wamp.URINotAuthorized, 0},
			{"garbage", jwt, "garbage", wamp.URIAuthenticationFail, 0},
			{"cookie by nothing", cookie, "", "", 30*day - time.Minute},
			{"cookie by a JWT", cookie, ticket(t, "ada", "member"), wamp.URINotAuthorized, 0},
			{"token by itself", program, mine, "", 40*day - time.Minute},
			{"token by another device's", program, theirs, wamp.URINotAuthorized, 0},
		} {
			got, err := h.auth.Renew(t.Context(), tt.stay.lease, tt.stay.joined(), tt.ticket)
			if tt.want != "" {
				if wamp.AsError(err).URI != tt.want {
					t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
				}
				continue
			}
			leeway := time.Until(got.Expires) - tt.left
			if err != nil || leeway != 0 && leeway != 30*time.Second || got.Token != "" {
				t.Errorf("%s: %+v, %v; want %v left", tt.name, got, err, tt.left)
			}
		}

		// The cookie is renewed by POST: the session goes on, told or not.
		time.Sleep(20*day - time.Minute)
		b.do("POST", "")
		got, err := h.auth.Renew(t.Context(), cookie.lease, cookie.joined(), "")
		if err != nil || !got.Expires.Equal(start.Add(50*day)) {
			t.Errorf("after POST /session: %+v, %v", got, err)
		}
		// A program's token is renewed and rotated as a cookie would be.
		time.Sleep(15 * day)
		got, err = h.auth.Renew(t.Context(), program.lease, program.joined(), mine)
		if err != nil || got.Token == "" || !got.Expires.Equal(start.Add(65*day)) {
			t.Fatalf("the program's token: %+v, %v; want a new secret", got, err)
		}
		if _, err := h.sessions.Ticket(t.Context(), got.Token); err != nil {
			t.Errorf("the new secret: %v", err)
		}
		time.Sleep(time.Hour)
		if _, err := h.auth.Renew(t.Context(), program.lease, program.joined(), mine); wamp.AsError(err).URI != wamp.URIAuthenticationFail {
			t.Errorf("the old secret after its grace: %v", err)
		}
		h.want("of the program", program, wamp.URISessionRevoked)
		b.do("DELETE", "")
		if _, err := h.auth.Renew(t.Context(), cookie.lease, cookie.joined(), ""); wamp.AsError(err).URI != wamp.URISessionExpired {
			t.Errorf("renewal of a session that was revoked: %v", err)
		}
		h.want("jwt", jwt, wamp.URISessionExpired)
	})
}

// Who takes minutes to join after being looked up must come again: by then it
// is not remembered any more what was revoked.
func TestSlowJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := newBrowser(t, h.sessions)
		b.do("POST", "")
		id := b.identify()
		time.Sleep(5 * time.Minute)
		g, _, err := h.auth.Begin(t.Context(), "realm1", auth.Hello{}, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.sessions.Begin(&holder{}, g.Terms); wamp.AsError(err).URI != wamp.URIUnavailable {
			t.Errorf("Begin: %v", err)
		}
	})
}

// When more is revoked than can be remembered, who has looked something up before
// that must look it up again, revoked or not.
func TestManyRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		b := newBrowser(t, h.sessions)
		b.do("POST", "")
		before, _, err := h.auth.Begin(t.Context(), "realm1", auth.Hello{}, b.identify())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		const most = 1 << 16
		for n := range most {
			h.sessions.End(auth.Revocation{Client: fmt.Sprint(n)})
		}
		if _, err := h.sessions.Begin(&holder{}, before.Terms); err != nil {
			t.Errorf("all that was revoked is remembered, and somebody else is refused: %v", err)
		}
		time.Sleep(time.Second)
		h.sessions.End(auth.Revocation{Client: "one more"})
		if _, err := h.sessions.Begin(&holder{}, before.Terms); wamp.AsError(err).URI != wamp.URIUnavailable {
			t.Errorf("what was looked up before the first revocation, which is forgotten: %v, want %s", err, wamp.URIUnavailable)
		}
		h.byCookie(b) // looks it up again
	})
}
