package dynamic

import (
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

var yes = router.Decision{Allow: true}

func of(session wamp.ID, uri string) question {
	return question{session: session, action: router.ActionCall, uri: wamp.URI(uri), options: "{}"}
}

func TestCache(t *testing.T) {
	now := time.Now()
	c := newCache(3, 1<<20, time.Minute)
	for i := range wamp.ID(3) {
		c.put(of(i, "a"), "ada", 7, yes, c.age(), now)
	}
	if _, ok := c.get(of(0, "a"), 7, now); !ok {
		t.Error("an answer is not kept")
	}
	c.put(of(3, "a"), "ben", 7, yes, c.age(), now) // 1 was not used for the longest time
	for session, want := range map[wamp.ID]bool{0: true, 1: false, 2: true, 3: true} {
		if _, ok := c.get(of(session, "a"), 7, now); ok != want {
			t.Errorf("the answer to %d is kept: %v, want %v", session, ok, want)
		}
	}
	q := of(0, "a")
	q.options = `{"retain":true}`
	if _, ok := c.get(q, 7, now); ok {
		t.Error("an answer is taken for that to a question with other options")
	}
	q = of(0, "a")
	q.match = wamp.Prefix
	if _, ok := c.get(q, 7, now); ok {
		t.Error("an answer is taken for that to a question about a pattern")
	}
	if _, ok := c.get(of(0, "a"), 7, now.Add(time.Minute)); ok {
		t.Error("an answer is good for longer than it may")
	}
	if _, ok := c.get(of(2, "a"), 8, now); ok {
		t.Error("an answer outlives the registration that gave it")
	}
	if n := c.size(); n != 1 {
		t.Errorf("%d answers are kept, want 1", n)
	}
	c.put(of(4, "a"), "ada", 7, yes, c.age(), now)
	c.put(of(4, "a"), "ada", 7, router.Decision{}, c.age(), now)
	if d, ok := c.get(of(4, "a"), 7, now); !ok || d.Allow {
		t.Errorf("of two answers to a question the first counts: %v, %v", d, ok)
	}
	if n := c.flush("ada"); n != 1 {
		t.Errorf("%d answers about ada, want 1", n)
	}
	if n := c.flush(""); n != 1 || c.size() != 0 || c.bytes != 0 {
		t.Errorf("%d answers are forgotten, %d of %d bytes are left", n, c.size(), c.bytes)
	}
}

func TestCacheBytes(t *testing.T) {
	now := time.Now()
	c := newCache(1000, 10_000, time.Minute)
	for i := range wamp.ID(100) {
		c.put(of(i, strings.Repeat("x", 700)), "ada", 1, yes, c.age(), now)
		if c.bytes > 10_000 {
			t.Fatalf("%d bytes are kept", c.bytes)
		}
	}
	if n := c.size(); n != 10 {
		t.Errorf("%d answers of some 960 bytes are kept in 10,000", n)
	}
	c.put(of(1, strings.Repeat("x", 20_000)), "ada", 1, yes, c.age(), now)
	if n := c.size(); n != 10 {
		t.Errorf("one that is too large by itself made others go: %d are left", n)
	}
	none := newCache(0, 0, time.Minute)
	none.put(of(1, "a"), "ada", 1, yes, none.age(), now)
	if none.size() != 0 {
		t.Error("an answer is kept where none may be")
	}
}
