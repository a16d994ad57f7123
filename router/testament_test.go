package router_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router"
)

// A session's testaments are bounded in number and bytes; flushed ones make
// room.
func TestTestamentLimits(t *testing.T) {
	for _, tt := range []struct {
		name string
		args string
		most int
		set  func(*router.Config)
	}{
		{"number", `["x"]`, 32, func(*router.Config) {}},
		{"bytes", `["` + strings.Repeat("x", 10_000) + `"]`, 6, func(*router.Config) {}},
		{"configured number", `["x"]`, 4, func(c *router.Config) { c.MaxTestaments = 4 }},
		{"configured bytes", `["` + strings.Repeat("x", 400) + `"]`, 2, func(c *router.Config) { c.MaxTestamentBytes = 1000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t, tt.set)
				heir, c := tr.joinAs(t), tr.joinAs(t)
				heir.send(`[32,1,{},"com.example.gone"]`)
				heir.next()
				request := 0
				add := func(scope string) string {
					request++
					c.send(fmt.Sprintf(`[48,%d,{},"wamp.session.add_testament",["com.example.gone",%s,{}],{"scope":%q}]`, request, tt.args, scope))
					m, _ := c.next()
					return string(m)
				}
				scopes := [2]string{"destroyed", "detached"}
				for n := range tt.most {
					if m := add(scopes[n%2]); !strings.HasPrefix(m, "[50,") {
						t.Fatalf("testament %d is answered with %s", n, m)
					}
				}
				if m := add("destroyed"); !strings.Contains(m, "wireroom.error.limit") {
					t.Fatalf("one too many is answered with %s", m)
				}
				request++
				c.send(fmt.Sprintf(`[48,%d,{},"wamp.session.flush_testaments",[],{"scope":"detached"}]`, request))
				c.next()
				if m := add("destroyed"); !strings.HasPrefix(m, "[50,") {
					t.Fatalf("after a flush a testament is answered with %s", m)
				}
				c.hangUp()
				synctest.Wait()
				got := 0
				for _, ok := heir.next(); ok; _, ok = heir.next() {
					got++
				}
				if want := tt.most/2 + 1; got != want {
					t.Errorf("%d testaments were published, want %d", got, want)
				}
			})
		})
	}
}
