package presence_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/local"
	"github.com/wireroom/wireroom/router/wamp"
)

// What it takes to keep that a session is on a topic is what the documentation
// says, at most.
func TestMemberMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const sessions = 500
	rt, _ := open(t, nil)
	clients := make([]*local.Client, sessions)
	for i := range clients {
		c, err := local.Join(rt, realm, router.Grant{AuthID: fmt.Sprint("guest", i), AuthRole: "guest"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients[i] = c
	}
	grow := func(topic func(i int) wamp.URI) int {
		before := heap()
		for i, c := range clients {
			subscribe(t, c, topic(i))
		}
		return (heap() - before) / sessions
	}
	for _, tt := range []struct {
		where       string
		plain, kept func(i int) wamp.URI
		most        int
	}{
		{"on one topic with all others", func(int) wamp.URI { return "street.a" }, func(int) wamp.URI { return "room.a" }, 400},
		{"on a topic of its own", func(i int) wamp.URI { return wamp.URI(fmt.Sprint("street.", i)) }, func(i int) wamp.URI { return wamp.URI(fmt.Sprint("room.", i)) }, 1500},
	} {
		grow(func(i int) wamp.URI { return "warm." + tt.plain(i) }) // what the sessions themselves need
		plain, kept := grow(tt.plain), grow(tt.kept)
		t.Logf("a subscription takes %d bytes, and %d where it is kept who is there, %s", plain, kept, tt.where)
		if kept-plain > tt.most {
			t.Errorf("a member takes %d bytes %s, want at most %d", kept-plain, tt.where, tt.most)
		}
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
