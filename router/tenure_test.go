package router_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A tenant is a tenure that notes what it is told.
type tenant struct {
	landlord *landlord
	session  *router.Session
	refuse   bool
}

func (t *tenant) Begin(s *router.Session) error {
	t.landlord.note("begin")
	if t.refuse {
		return wamp.Errorf(wamp.URISessionRevoked, "not any more")
	}
	t.session = s
	return nil
}

func (t *tenant) Resume(g *router.Grant) error {
	t.landlord.note("resume")
	if g.Tenure.(*tenant).refuse {
		return wamp.Errorf(wamp.URISessionRevoked, "not any more")
	}
	return nil
}

func (t *tenant) End() { t.landlord.note("end") }

// A landlord lets everybody in, with a tenure.
type landlord struct {
	open

	mu    sync.Mutex // guards the following
	notes []string
	last  *tenant
}

func (l *landlord) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, what)
}

func (l *landlord) told() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.notes, " ")
}

func (l *landlord) Authenticate(ctx context.Context, j router.Joining) (*router.Grant, *router.Challenge, error) {
	g, c, err := l.open.Authenticate(ctx, j)
	l.mu.Lock()
	defer l.mu.Unlock()
	if g != nil {
		refuse, _ := j.Hello.AuthExtra["refuse"].(bool)
		none, _ := j.Hello.AuthExtra["none"].(bool)
		l.last = &tenant{landlord: l, refuse: refuse}
		if !none {
			g.Tenure, g.Expires = l.last, time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
		}
	}
	return g, c, err
}

func newLandlord(t *testing.T) (*landlord, *testRouter) {
	l := &landlord{}
	tr := &testRouter{t: t, rt: router.New(router.DefaultConfig(), l, slog.New(slog.DiscardHandler))}
	tr.rt.AddRealm(testRealm, open{}, nil)
	t.Cleanup(func() {
		for _, c := range tr.all {
			c.hangUp()
		}
		if err := tr.rt.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return l, tr
}

// A tenure is told once that its session begins, and once that it has left; what
// it refuses never joins; the peer learns when it ends.
func TestTenure(t *testing.T) {
	for _, resumable := range []string{"", `,"resumable":true`} {
		synctest.Test(t, func(t *testing.T) {
			l, tr := newLandlord(t)
			r := &resumer{t: t}
			c := tr.connect()
			c.send(`[1,"realm1",{` + resumerRoles + resumable + `}]`)
			r.welcome(c)
			if r.details["_expires"] != "2030-01-02T03:04:05Z" {
				t.Errorf("WELCOME has %v", r.details)
			}
			id, _ := r.session.Int64()
			s := tr.rt.Realm(testRealm).Session(wamp.ID(id))
			if l.last.session != s || s.Tenure() != router.Tenure(l.last) {
				t.Error("the tenure is of another session")
			}
			if got := l.told(); got != "begin" {
				t.Errorf("told %q, want begin", got)
			}
			s.End(&wamp.Error{URI: wamp.URISessionRevoked})
			if m := r.next(c); intOf(m[0]) != 6 || m[2] != string(wamp.URISessionRevoked) {
				t.Errorf("got %v, want GOODBYE", m)
			}
			c.hangUp()
			synctest.Wait()
			if got := l.told(); got != "begin end" {
				t.Errorf("told %q, want begin end", got)
			}

			c = tr.connect()
			c.send(`[1,"realm1",{` + resumerRoles + resumable + `,"authextra":{"refuse":true}}]`)
			if m := r.next(c); intOf(m[0]) != 3 || m[2] != string(wamp.URISessionRevoked) {
				t.Errorf("got %v, want ABORT", m)
			}
			c.hangUp()
			synctest.Wait()
			if got := l.told(); got != "begin end begin" || tr.rt.Realm(testRealm).SessionCount() != 0 {
				t.Errorf("told %q, want one begin more and no end", got)
			}
		})
	}
}

// A session is resumed with the consent of its tenure, and not by a peer that
// has none. One that is away can be ended, and then nobody resumes it.
func TestTenureResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, tr := newLandlord(t)
		r := &resumer{t: t}
		c := tr.connect()
		r.join(c)
		id, _ := r.session.Int64()
		s := tr.rt.Realm(testRealm).Session(wamp.ID(id))
		c.hangUp()
		c = tr.connect()
		r.resume(c, 0)
		if got := l.told(); got != "begin resume" || r.details["resumed"] != true || r.details["_expires"] == nil {
			t.Fatalf("told %q with WELCOME %v", got, r.details)
		}
		c.hangUp()
		other := &resumer{t: t, session: r.session, token: r.token}
		c = tr.connect()
		c.send(`[1,"realm1",{` + resumerRoles + `,"authextra":{"none":true},"resume-session":` + string(r.session) + `,"resume-token":"` + r.token + `"}]`)
		other.welcome(c)
		if other.details["resumed"] != false {
			t.Errorf("who has no tenure resumes one that has: %v", other.details)
		}
		c.hangUp()
		synctest.Wait()

		s.End(&wamp.Error{URI: wamp.URISessionRevoked})
		synctest.Wait()
		if got := l.told(); got != "begin resume end" {
			t.Errorf("told %q after the end of a session that is away", got)
		}
		c = tr.connect()
		r.resume(c, 0)
		if r.details["resumed"] != false {
			t.Error("a session that was ended while it was away is resumed")
		}
		c.hangUp()
		synctest.Wait()
	})
}

// A tenure that does not consent keeps the session from the peer.
func TestTenureRefusesResumption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, tr := newLandlord(t)
		r := &resumer{t: t}
		c := tr.connect()
		r.join(c)
		c.hangUp()
		c = tr.connect()
		c.send(`[1,"realm1",{` + resumerRoles + `,"authextra":{"refuse":true},"resume-session":` + string(r.session) + `,"resume-token":"` + r.token + `","_received":0}]`)
		synctest.Wait()
		if msg, ok := c.next(); ok {
			t.Errorf("the peer got %s", msg)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := l.told(); got != "begin resume end" {
			t.Errorf("told %q", got)
		}
	})
}

// Sessions are ended by what they are.
func TestEndSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, tr := newLandlord(t)
		r := &resumer{t: t}
		for _, authid := range []string{"ada", "bob", "ada"} {
			c := tr.connect()
			c.send(`[1,"realm1",{` + resumerRoles + `,"authid":"` + authid + `"}]`)
			r.welcome(c)
		}
		realm := tr.rt.Realm(testRealm)
		n := realm.EndSessions(&wamp.Error{URI: wamp.URISessionRevoked}, func(s *router.Session) bool { return s.AuthID() == "ada" })
		synctest.Wait()
		if n != 2 || realm.SessionCount() != 1 {
			t.Errorf("EndSessions = %d, %d sessions are left; want 2 and 1", n, realm.SessionCount())
		}
	})
}
