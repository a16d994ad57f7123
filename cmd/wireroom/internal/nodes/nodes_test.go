package nodes_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// What is published on one gateway reaches the subscribers on all, once, in order,
// with the same ID, and for whom it was meant.
func TestPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b, c := w.start(t, nil), w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		ada, bob, carl := a.join("ada"), b.join("bob"), c.join("carl")
		ears := []*ear{listen(t, ada, "chat.a", wamp.SubscribeOptions{}), listen(t, bob, "chat.a", wamp.SubscribeOptions{}), listen(t, carl, "chat.", wamp.SubscribeOptions{Match: wamp.Prefix})}
		id := publish(t, ada, "chat.a", wamp.PublishOptions{DiscloseMe: true}, `["one"]`)
		publish(t, ada, "chat.a", wamp.PublishOptions{KeepMe: true}, `["two"]`)
		publish(t, bob, "chat.a", wamp.PublishOptions{ExcludeAuthID: []string{"carl"}}, `["three"]`)
		publish(t, bob, "chat.a", wamp.PublishOptions{Eligible: []wamp.ID{carl.ID()}}, `["four"]`)
		publish(t, bob, "chat.a", wamp.PublishOptions{Eligible: []wamp.ID{}}, `["nobody"]`)
		publish(t, carl, "chat.a", wamp.PublishOptions{Exclude: []wamp.ID{ada.ID()}, EligibleAuthRole: []string{"guest"}}, `["five"]`)
		for i, want := range [][]string{
			{`["two"]`, `["three"]`},
			{`["one"] from ada`, `["two"]`, `["five"]`},
			{`["one"] from ada`, `["two"]`, `["four"]`},
		} {
			if got := ears[i].heard(); !slices.Equal(got, want) {
				t.Errorf("subscriber %d hears %q, want %q", i, got, want)
			}
		}
		if ears[1].ids[0] != id || ears[2].ids[0] != id {
			t.Errorf("ID %d is published, %d and %d come", id, ears[1].ids[0], ears[2].ids[0])
		}
		if s := a.mesh.Stats(); s.Nodes != 2 || s.Sent != 2 || s.Received != 4 || s.Unsent+s.Dropped+s.Unknown+s.Gaps != 0 {
			t.Errorf("the first gateway counts %+v", s)
		}
	})
}

// What is retained is so on all gateways that are there.
func TestRetain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		publish(t, a.join("ada"), "chat.a", wamp.PublishOptions{Retain: true}, `["one"]`)
		publish(t, b.join("bob"), "chat.a", wamp.PublishOptions{Retain: true, Extra: map[string]any{"_retain_for": int64(1000)}}, `["two"]`)
		for _, g := range []*gateway{a, b} {
			if got := listen(t, g.join("carl"), "chat.a", wamp.SubscribeOptions{GetRetained: true}); !soon(got, `["two"] retained`) {
				t.Errorf("%s: %q is retained", g.end.name, got.heard())
			}
		}
		time.Sleep(2 * time.Second)
		for _, g := range []*gateway{a, b} {
			got := listen(t, g.join("carl"), "chat.a", wamp.SubscribeOptions{GetRetained: true})
			if synctest.Wait(); len(got.heard()) > 0 {
				t.Errorf("%s: %q is retained for too long", g.end.name, got.heard())
			}
		}
	})
}

func soon(e *ear, want ...string) bool {
	synctest.Wait()
	return slices.Equal(e.heard(), want)
}

// A gateway without others says nothing, and one that hears nothing goes on by
// itself; then others are told how much they have missed.
func TestAloneAndCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a := w.start(t, nil)
		ada := a.join("ada")
		publish(t, ada, "chat.a", wamp.PublishOptions{}, `["alone"]`)
		if s := a.mesh.Stats(); s.Sent+s.Unsent != 0 {
			t.Errorf("a gateway alone counts %+v", s)
		}
		b := w.start(t, nil)
		synctest.Wait()
		here, there := listen(t, a.join("eve"), "chat.a", wamp.SubscribeOptions{}), listen(t, b.join("bob"), "chat.a", wamp.SubscribeOptions{})
		gap := listen(t, a.join("gus"), "wireroom.node.on_gap", wamp.SubscribeOptions{})
		a.end.cut()
		for i := range 3 {
			publish(t, ada, "chat.a", wamp.PublishOptions{}, fmt.Sprintf("[%d]", i))
		}
		a.end.mend()
		publish(t, ada, "chat.a", wamp.PublishOptions{}, `[3]`)
		if !soon(here, "[0]", "[1]", "[2]", "[3]") || !soon(there, "[3] missed 3") {
			t.Errorf("here come %q, there %q", here.heard(), there.heard())
		}
		if s := a.mesh.Stats(); s.Unsent != 3 || s.Gaps != 1 || len(gap.heard()) != 1 {
			t.Errorf("%+v, and clients hear of %q", s, gap.heard())
		}
	})
}

// Members are one on all gateways, wherever their sessions are; those of a gateway
// that is gone leave, unless they are elsewhere.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		told := listen(t, a.join("listener"), presence.Prefix+"room.a", wamp.SubscribeOptions{})
		stay := func(g *gateway, who string) *local.Client {
			t.Helper()
			c := g.join(who)
			listen(t, c, "room.a", wamp.SubscribeOptions{})
			synctest.Wait()
			return c
		}
		stay(a, "ada")
		bob := stay(b, "bob")
		stay(b, "ada")
		stay(b, "")
		c := w.start(t, nil) // which learns who is there as it comes
		synctest.Wait()
		stay(c, "bob")
		for _, g := range []*gateway{a, b, c} {
			if got := g.there("room.a"); got != ":1 ada:2 bob:2" {
				t.Errorf("%s: there are %s", g.end.name, got)
			}
			if !g.complete(g.join("asks")) {
				t.Errorf("%s does not know all", g.end.name)
			}
		}
		bob.Close()
		synctest.Wait()
		if got := a.there("room.a"); got != ":1 ada:2 bob:1" {
			t.Errorf("then there are %s", got)
		}
		b.die()
		synctest.Wait()
		for _, g := range []*gateway{a, c} {
			if got := g.there("room.a"); got != "ada:1 bob:1" {
				t.Errorf("%s: when one gateway is gone there are %s", g.end.name, got)
			}
		}
		heard := told.heard()
		if len(heard) != 4 || !strings.Contains(heard[3], `"leave"`) {
			t.Errorf("three joins and a leave are told as %q", heard)
		}
	})
}

// Who may know it is told at which gateways members are, by their names.
func TestGateways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, func(c *presence.Config) { c.Linger = time.Minute }), w.start(t, nil)
		synctest.Wait()
		gone := a.join("ada")
		listen(t, gone, "room.a", wamp.SubscribeOptions{})
		for _, who := range []string{"ada", "ada", "bob"} {
			listen(t, b.join(who), "room.a", wamp.SubscribeOptions{})
		}
		synctest.Wait()
		gone.Close() // and lingers
		synctest.Wait()
		a.mesh.Configured(nodes.Configuration{Gateways: []nodes.Gateway{{Node: a.end.name, Name: "one"}}})
		ask := func(who, kwargs string) (wamp.Payload, error) {
			return a.join(who).Call(t.Context(), "wireroom.presence.list", wamp.CallOptions{}, wamp.Payload{Serializer: wamp.JSON, Args: []byte(`["room.a"]`), KwArgs: []byte(kwargs)})
		}
		got, err := ask("boss", `{"gateways":true}`)
		if err != nil {
			t.Fatal(err)
		}
		kwargs, err := got.DecodeKwArgs()
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, m := range kwargs["members"].([]any) {
			m := m.(map[string]any)
			list = append(list, fmt.Sprint(m["authid"], " ", m["sessions"], " ", m["gateways"]))
		}
		want := []string{
			fmt.Sprintf("ada 2 [map[name:%s sessions:2] map[name:one sessions:0]]", b.end.name),
			fmt.Sprintf("bob 1 [map[name:%s sessions:1]]", b.end.name),
		}
		if !slices.Equal(list, want) {
			t.Errorf("there are %q, want %q", list, want)
		}
		for kw, want := range map[string]string{`{"gateways":1}`: "gateways: expected true or false", `{"gateways":true}`: "may not know at which gateways"} {
			if _, err := ask("nosy", kw); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", kw, err, want)
			}
		}
	})
}

// With linger, whoever comes back on another gateway has never left.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		slow := func(c *presence.Config) { c.Linger = 5 * time.Second }
		a, b := w.start(t, slow), w.start(t, slow)
		synctest.Wait()
		told := listen(t, a.join("listener"), presence.Prefix+"room.a", wamp.SubscribeOptions{})
		for _, who := range []string{"ada", "bob"} {
			listen(t, b.join(who), "room.a", wamp.SubscribeOptions{})
		}
		synctest.Wait()
		b.die()
		time.Sleep(3 * time.Second)
		listen(t, a.join("ada"), "room.a", wamp.SubscribeOptions{})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if heard := told.heard(); len(heard) != 3 || !strings.Contains(heard[2], "leave") || !strings.Contains(heard[2], "bob") || a.there("room.a") != "ada:1" {
			t.Errorf("%q are told, and %s is there", heard, a.there("room.a"))
		}
	})
}

// After a gap a gateway finds out what it has missed.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		ada, bob := a.join("ada"), b.join("bob")
		listen(t, ada, "room.a", wamp.SubscribeOptions{})
		listen(t, bob, "room.a", wamp.SubscribeOptions{})
		synctest.Wait()
		a.end.cut()
		bob.Close()
		listen(t, b.join("carl"), "room.a", wamp.SubscribeOptions{})
		listen(t, a.join("dan"), "room.a", wamp.SubscribeOptions{})
		ada.Close()
		synctest.Wait()
		if got := a.there("room.a"); got != "bob:1 dan:1" || a.complete(a.join("asks")) {
			t.Errorf("without the wire there are %s, and that is said to be all", got)
		}
		a.end.mend()
		time.Sleep(time.Second)
		synctest.Wait()
		for _, g := range []*gateway{a, b} {
			if got := g.there("room.a"); got != "carl:1 dan:1" || !g.complete(g.join("asks")) {
				t.Errorf("%s: there are %s", g.end.name, got)
			}
		}
	})
}

// Nobody says that they know who is there before all others have said so since the
// last gap; and a gateway that is gone says nothing that counts.
func TestComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		if !a.part.Complete() {
			t.Error("all have said who is there, and that is not known")
		}
		b.end.cut() // it cannot answer
		a.mesh.Gap()
		synctest.Wait()
		if a.part.Complete() {
			t.Error("after a gap another gateway has not said who is there, and that is said to be all")
		}
		b.end.mend()
		time.Sleep(time.Second)
		synctest.Wait()
		if !a.part.Complete() {
			t.Error("all have said again who is there, and that is not known")
		}
		a.mesh.Leave(b.end.name)
		synctest.Wait()
		listen(t, b.join("bob"), "room.a", wamp.SubscribeOptions{})
		synctest.Wait()
		if got := a.there("room.a"); got != "" {
			t.Errorf("there are %s, whom a gateway has named that is gone", got)
		}
		a.mesh.Join(b.end.name)
		b.mesh.Gap()
		synctest.Wait()
		if got := a.there("room.a"); got != "bob:1" || !a.part.Complete() {
			t.Errorf("there are %s when it is back", got)
		}
	})
}

// Sessions come and go on three gateways, of which one at a time is cut off, dies or
// comes: when all is quiet each knows exactly who is there.
func TestOracle(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		w := new(wire)
		type guest struct {
			c   *local.Client
			who string
		}
		guests := map[*gateway][]guest{}
		var all []*gateway
		for range 3 {
			all = append(all, w.start(t, nil))
		}
		for range 150 {
			g := all[rnd.IntN(len(all))]
			switch what := rnd.IntN(20); {
			case what < 9:
				who := fmt.Sprint("guest", rnd.IntN(6))
				c := g.join(who)
				listen(t, c, "room.a", wamp.SubscribeOptions{})
				guests[g] = append(guests[g], guest{c, who})
			case what < 16 && len(guests[g]) > 0:
				i := rnd.IntN(len(guests[g]))
				guests[g][i].c.Close()
				guests[g] = slices.Delete(guests[g], i, i+1)
			case what < 17:
				g.end.cut()
			case what < 18:
				g.end.mend()
			case what < 19 && len(all) > 1:
				all = slices.DeleteFunc(all, func(other *gateway) bool { return other == g })
				delete(guests, g)
				g.die()
			case len(all) < 4:
				all = append(all, w.start(t, nil))
			}
			if rnd.IntN(4) == 0 {
				synctest.Wait()
			}
		}
		for _, g := range all {
			g.end.mend()
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		sessions := map[string]int{}
		for _, list := range guests {
			for _, one := range list {
				sessions[one.who]++
			}
		}
		var want []string
		for who, n := range sessions {
			want = append(want, fmt.Sprintf("%s:%d", who, n))
		}
		slices.Sort(want)
		for _, g := range all {
			if got := g.there("room.a"); got != strings.Join(want, " ") {
				t.Errorf("%s: there are %s, want %s", g.end.name, got, strings.Join(want, " "))
			}
		}
	})
}

// Sessions can be ended from any gateway.
func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a, b := w.start(t, nil), w.start(t, nil)
		synctest.Wait()
		boss := a.join("boss")
		bob := b.join("bob")
		if _, err := call(t, boss, "wamp.session.kill", fmt.Sprintf("[%d]", bob.ID())); err != nil {
			t.Errorf("kill: %v", err)
		}
		<-bob.Done()
		if _, err := call(t, boss, "wamp.session.kill", fmt.Sprintf("[%d]", bob.ID())); err == nil {
			t.Error("a session is killed twice")
		}
		one, two := a.join("carl"), b.join("carl")
		got, err := call(t, boss, "wamp.session.kill_by_authid", `["carl"]`)
		if err != nil || !strings.Contains(got, fmt.Sprint(one.ID())) || !strings.Contains(got, fmt.Sprint(two.ID())) {
			t.Errorf("kill_by_authid: %s, %v; want %d and %d", got, err, one.ID(), two.ID())
		}
		<-one.Done()
		<-two.Done()
		dan := b.join("dan")
		if got, err := call(t, boss, "wamp.session.kill_all", `[]`); err != nil || got != "[1]" {
			t.Errorf("kill_all: %s, %v", got, err)
		}
		<-dan.Done()

		// One that does not answer is waited for, for a while, or until it is gone.
		eve := b.join("eve")
		b.end.cut()
		before := time.Now()
		if _, err := call(t, boss, "wamp.session.kill", fmt.Sprintf("[%d]", eve.ID())); err == nil || !strings.Contains(err.Error(), "wireroom.error.unavailable") {
			t.Errorf("kill where nobody answers: %v", err)
		}
		if took := time.Since(before); took != 6*time.Second {
			t.Errorf("that took %v", took)
		}
		time.AfterFunc(time.Second, func() { w.lose(b.end) })
		if _, err := call(t, boss, "wamp.session.kill", fmt.Sprintf("[%d]", eve.ID())); err == nil || !strings.Contains(err.Error(), "wamp.error.no_such_session") {
			t.Errorf("kill at a gateway that is gone meanwhile: %v", err)
		}
	})
}

// What comes from the bus and makes no sense is counted and passed over.
func TestNonsense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(wire)
		a := w.start(t, nil)
		synctest.Wait()
		bad := []string{
			"", "\n", "{}", "[]\n", "{}\n", `{"realm":"realm1"}` + "\n", `{"realm":"realm1","topic":"a..b","id":1}` + "\n",
			`{"realm":"realm1","topic":"a.b","id":1,"serializer":200}` + "\n",
			`{"realm":"realm1","topic":"a.b","id":0,"args":-1,"kwargs":-1,"opaque":-1}` + "\n",
			`{"realm":"realm1","topic":"a.b","id":1,"args":9999999999,"kwargs":-1,"opaque":-1}` + "\n[]",
			`{"realm":"nowhere","topic":"a.b","id":1,"args":2,"kwargs":-1,"opaque":-1}` + "\n[]",
		}
		for _, text := range bad {
			if !a.mesh.Message("other", "wireroom.publication", []byte(text)) {
				t.Error("the kind is not known")
			}
		}
		for _, kind := range []string{"wireroom.event", "wireroom.presence", "wireroom.kill", "wireroom.killed"} {
			a.mesh.Message("other", kind, []byte("nonsense"))
		}
		if a.mesh.Message("other", "somebody.else", nil) {
			t.Error("a kind of somebody else is taken")
		}
		synctest.Wait()
		if s := a.mesh.Stats(); s.Unknown != uint64(len(bad)+4) {
			t.Errorf("%d messages are passed over, want %d", s.Unknown, len(bad)+4)
		}
	})
}
