package router_test

import (
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// hooked allows everything, after a hook that a test sets.
type hooked struct {
	open
	hook func(router.Action)
}

func (h *hooked) Authorize(_ *router.Session, action router.Action, _ wamp.URI, _ wamp.Match, _ wamp.Message) router.Decision {
	if h.hook != nil {
		h.hook(action)
	}
	return router.Decision{Allow: true}
}

// A session whose connection breaks while it asks once more for a procedure
// that it has leaves nothing behind.
func TestRegisterAgainWhileTheConnectionBreaks(t *testing.T) {
	for _, invoke := range []string{"single", "roundrobin"} {
		t.Run(invoke, func(t *testing.T) {
			tr, rules := newRouter(t), &hooked{}
			realm := tr.rt.AddRealm("realm2", rules, nil)
			c := tr.connect()
			c.send(`[1,"realm2",{"roles":{"callee":{}}}]`)
			c.send(`[64,1,{"invoke":"` + invoke + `"},"com.example.proc"]`)
			rules.hook = func(action router.Action) {
				if action == router.ActionRegister {
					c.link.setBroken()
					c.s.SendControl([]byte("a ping"))
					<-c.link.closed
				}
			}
			c.send(`[64,2,{"invoke":"` + invoke + `"},"com.example.proc"]`)
			rules.hook = nil
			c.hangUp()
			if what := realm.Leftovers(); what != "" {
				t.Errorf("%s are left", what)
			}

			next := tr.connect()
			next.send(`[1,"realm2",{"roles":{"callee":{}}}]`)
			next.send(`[64,1,{"invoke":"first"},"com.example.proc"]`)
			next.next() // WELCOME
			if msg, _ := next.next(); len(msg) < 3 || string(msg[:4]) != "[65," {
				t.Errorf("the procedure is not free: %s", msg)
			}
		})
	}
}
