package router_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Who is sent to another realm is a member of that one, and its session can be
// resumed by whoever is sent there again, or joins there.
func TestRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		const elsewhere = wamp.URI("elsewhere")
		there := tr.rt.AddRealm(elsewhere, open{}, nil)
		r := &resumer{t: t}
		hello := func(realm, to, more string) talker {
			c := tr.connect()
			if to != "" {
				to = fmt.Sprintf(`"authextra":{"realm":%q},`, to)
			}
			c.send(fmt.Sprintf(`[1,%q,{%s,%s%s}]`, realm, resumerRoles, to, more))
			r.welcome(c)
			return c
		}
		a := hello("realm1", "elsewhere", `"resumable":true`)
		if got := r.details["realm"]; got != "elsewhere" {
			t.Errorf("WELCOME names the realm %v", got)
		}
		if here := tr.rt.Realm(testRealm).SessionCount(); here != 0 || there.SessionCount() != 1 {
			t.Errorf("%d sessions in the realm that was asked for, and %d in the other", here, there.SessionCount())
		}
		a.send(`[32,1,{},"com.example.topic"]`)
		r.next(a)
		tr.rt.Realm(testRealm).Publish(&router.Publication{Topic: "com.example.topic", Payload: payload(t, "here")})
		there.Publish(&router.Publication{Topic: "com.example.topic", Payload: payload(t, "there")})
		synctest.Wait()
		if got := r.words(a); got != "there" {
			t.Errorf("got %q, want what is published there", got)
		}
		session := r.session
		for _, tt := range []struct {
			realm, to string
			resumed   bool
		}{
			{"realm1", "", false},
			{"realm1", "elsewhere", true},
			{"elsewhere", "", true},
		} {
			token := r.token
			hello(tt.realm, tt.to, fmt.Sprintf(`"resume-session":%s,"resume-token":%q,"_received":2`, session, token))
			if r.details["resumed"] != tt.resumed {
				t.Errorf("resumed in %s, sent to %q: %v", tt.realm, tt.to, r.details["resumed"])
			}
			if !tt.resumed {
				r.token = token
			}
		}
	})
}

// A realm that is not there is told as such, whoever asked for it.
func TestRedirectNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		for _, methods := range []string{"anonymous", "ticket"} {
			c := tr.connect()
			c.send(fmt.Sprintf(`[1,"realm1",{"roles":{"caller":{}},"authmethods":[%q],"authextra":{"realm":"nowhere"}}]`, methods))
			if methods == "ticket" {
				synctest.Wait()
				c.next()
				c.send(`[5,"open sesame",{}]`)
			}
			synctest.Wait()
			if m, _ := c.next(); !strings.Contains(string(m), `"wamp.error.no_such_realm"`) {
				t.Errorf("%s: %s", methods, m)
			}
		}
		if n := tr.rt.Realm(testRealm).SessionCount(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}
