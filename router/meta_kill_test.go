package router_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
)

// Sessions that are killed while they join, work and leave are taken out of
// everything, once.
func TestKillUnderChurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t)
		killer := tr.joinAs(t)
		const n, rounds = 8, 50
		peers := make([]*client, n*rounds)
		for i := range peers {
			peers[i] = tr.connect()
		}
		var wg sync.WaitGroup
		for part := range n {
			wg.Go(func() {
				for i, c := range peers[part*rounds : (part+1)*rounds] {
					c.send(hello)
					c.send(`[32,1,{},"wamp.session.on_leave"]`)
					c.send(`[64,2,{"invoke":"random"},"com.example.proc"]`)
					c.send(`[48,3,{},"wamp.session.add_testament",["com.example.gone",[],{}],{"publish_options":{"retain":true}}]`)
					c.send(fmt.Sprintf(`[48,4,{},"wamp.session.kill_by_authrole",["role%d"]]`, i))
					if i%3 == 0 {
						c.hangUp()
					}
				}
			})
		}
		for i := range rounds {
			how := [...]string{`kill_all"`, `kill_by_authid",["anyone"]`, `kill_by_authrole",["tester"]`}[i%3]
			killer.send(fmt.Sprintf(`[48,%d,{},"wamp.session.%s]`, i+1, how))
			wg.Go(func() { tr.rt.Realm(testRealm).SessionCount() })
		}
		wg.Wait()
		killer.send(`[48,1000,{},"wamp.session.kill_all"]`)
		synctest.Wait()
		realm := tr.rt.Realm(testRealm)
		if n := realm.SessionCount(); n != 1 {
			t.Errorf("%d sessions are left, want the killer's", n)
		}
		killer.hangUp()
		synctest.Wait()
		if what := realm.Leftovers(); what != "" {
			t.Errorf("%s are left", what)
		}
		if s := tr.rt.Stats(); s.Joined != s.Left {
			t.Errorf("%d sessions joined and %d left", s.Joined, s.Left)
		}
	})
}
