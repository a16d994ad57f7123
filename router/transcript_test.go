package router_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/presence"
	"github.com/wireroom/wireroom/router/wamp"
)

// TestConformance plays the transcripts in testdata/conformance in fake time,
// straight against the router; TestConformanceStack plays them through all that
// is in front of it.
//
// A line is one of
//
//	a> [1, "realm1", {}]   peer a sends a message; a new peer connects first
//	a< [2, "$a", {}]       peer a gets a message: $x binds at first and must
//	                       agree after; an object may hold more than is asked;
//	                       "*" fits anything, and "-" an entry that is not there
//	a< nothing             everything settles, and a has got nothing more
//	a< closed              the router has closed a's connection
//	a! stall               a stops reading;  a! read: it goes on
//	a! drop                a's connection breaks
//	wait 10s               time passes
//
// A peer a2 is a on another connection: it speaks the same serializer.
//
// and # begins a comment. In files named limit_… a session may have three of
// everything; in those named statistics_… traffic is told after 6 messages or
// 10s; in those named admission_… one session a second may join, and a HELLO
// may wait for 2s; in those named history_… some topics have one; and in
// those named presence_… it is kept who is on topics below lobby, of which a
// stranger may not know and where a ghost is not named. In presence_linger_…
// members linger for 5s. In those named reattach_… there is something kept for
// everybody.
func TestConformance(t *testing.T) {
	for _, tr := range transcripts(t) {
		t.Run(tr.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := tr.router(t)
				play(t, tr, func(string) talker { return rt.connect() })
			})
		})
	}
}

// A transcript is one file of testdata/conformance.
type transcript struct {
	name string // of the file, without .txt
	text []byte
}

func transcripts(t *testing.T) (all []transcript) {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, transcript{strings.TrimSuffix(filepath.Base(file), ".txt"), text})
	}
	return all
}

// configure changes the configuration to that which the transcript is about.
func (tr transcript) configure(c *router.Config) {
	switch kind, _, _ := strings.Cut(tr.name, "_"); kind {
	case "limit":
		c.MaxSubscriptions, c.MaxRegistrations, c.MaxCalls, c.MaxWaiting = 3, 3, 3, 3
	case "statistics":
		c.Statistics = router.Statistics{Messages: 6, Interval: 10 * time.Second, RatedSize: 4096}
	case "admission":
		c.Admission = router.Admission{Rate: 1, Burst: 1, Wait: 2 * time.Second}
	}
}

// router returns one as the transcript needs it.
func (tr transcript) router(t *testing.T) *testRouter {
	var gov router.Governor
	if strings.HasPrefix(tr.name, "reattach_") {
		gov = new(shelf)
	}
	rt := newRouterGoverned(t, gov, tr.configure)
	tr.furnish(rt)
	return rt
}

// furnish gives the realm what the transcript is about.
func (tr transcript) furnish(rt *testRouter) {
	if strings.HasPrefix(tr.name, "history_") {
		rt.rt.Realm(testRealm).KeepHistory([]router.HistoryConfig{
			{Topic: "chat.few", Events: 3, Bytes: 1 << 20},
			{Topic: "chat.", Match: wamp.Prefix, Events: 100, Bytes: 1 << 20, For: time.Hour},
			{Topic: "forbidden.", Match: wamp.Prefix, Events: 100, Bytes: 1 << 20},
			{Topic: "sensor..heat", Match: wamp.Wildcard, Events: 100, Bytes: 1 << 10},
		})
	}
	if strings.HasPrefix(tr.name, "presence_") {
		cfg := presence.DefaultConfig()
		cfg.MaxMembers = 6
		if strings.HasPrefix(tr.name, "presence_linger_") {
			cfg.Linger = 5 * time.Second
		}
		k := presence.New(rt.rt.Realm(testRealm), cfg, lobbies{}, nil, slog.New(slog.DiscardHandler))
		rt.t.Cleanup(k.Close)
	}
}

// lobbies are the rules of presence in transcripts.
type lobbies struct{}

func (lobbies) Kept(topic wamp.URI) bool                      { return strings.HasPrefix(string(topic), "lobby.") }
func (lobbies) May(s *router.Session, _ wamp.URI) bool        { return s.AuthID() != "stranger" }
func (lobbies) Subscribes(_ *router.Session, t wamp.URI) bool { return t != "lobby.asked" }
func (lobbies) Hides(s *router.Session, _ wamp.URI) bool      { return s.AuthID() == "ghost" }
func (lobbies) Locates(*router.Session) bool                  { return true }

// A talker is a peer in a transcript, whatever it speaks through.
type talker interface {
	send(msg string)           // a message in JSON, or something that is none
	express(msg string) string // a message in JSON, as its serializer can say it
	hangUp()                   // breaks the connection
	act(what string) error     // stall or read
	next() ([]byte, bool)      // the next message that it got, in JSON
	closed() bool              // whether the router has closed its connection
}

type player struct {
	t       *testing.T
	connect func(name string) talker
	peers   map[string]talker
	vars    map[string]any
}

// play plays a transcript with peers that connect makes, in order of their
// first lines.
func play(t *testing.T, tr transcript, connect func(name string) talker) {
	t.Helper()
	p := &player{t: t, connect: connect, peers: map[string]talker{}, vars: map[string]any{}}
	p.play(tr)
}

func (p *player) play(tr transcript) {
	p.t.Helper()
	sc := bufio.NewScanner(bytes.NewReader(tr.text))
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			p.t.Fatalf("%s.txt:%d: %s\n\t%v", tr.name, n, line, err)
		}
	}
}

func (p *player) line(line string) error {
	if d, ok := strings.CutPrefix(line, "wait "); ok {
		wait, err := time.ParseDuration(d)
		if err != nil {
			return err
		}
		time.Sleep(wait) // fake time
		synctest.Wait()
		return nil
	}
	name, rest, ok := strings.Cut(line, " ")
	if !ok || len(name) < 2 {
		return fmt.Errorf("no such line")
	}
	peer, op := name[:len(name)-1], name[len(name)-1]
	c := p.peers[peer]
	if c == nil {
		c = p.connect(peer)
		p.peers[peer] = c
	}
	switch op {
	case '>':
		go c.send(p.fill(rest)) // it may have to wait
		synctest.Wait()
		return nil
	case '!':
		if rest == "drop" {
			go c.hangUp() // likewise
			synctest.Wait()
			return nil
		}
		err := c.act(rest)
		synctest.Wait()
		return err
	case '<':
		synctest.Wait()
		return p.expect(c, rest)
	}
	return fmt.Errorf("no such line")
}

// fill puts bound values where "$x" stands.
func (p *player) fill(s string) string {
	for name, v := range p.vars {
		b, _ := json.Marshal(v)
		s = strings.ReplaceAll(s, `"`+name+`"`, string(b))
	}
	return s
}

func (p *player) expect(c talker, want string) error {
	got, ok := c.next()
	switch {
	case want == "nothing":
		if ok {
			return fmt.Errorf("but got %s", got)
		}
		return nil
	case want == "closed":
		if ok {
			return fmt.Errorf("but got %s", got)
		}
		if !c.closed() {
			return fmt.Errorf("but the connection is open")
		}
		return nil
	case !ok:
		return fmt.Errorf("but got nothing")
	}
	w, err := decodeJSON([]byte(c.express(want)))
	if err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	g, err := decodeJSON(got)
	if err != nil {
		return fmt.Errorf("got %s: %w", got, err)
	}
	vars := maps.Clone(p.vars)
	if !fits(w, g, vars) {
		return fmt.Errorf("but got %s", got)
	}
	p.vars = vars
	return nil
}

func decodeJSON(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return v, d.Decode(&v)
}

// fits reports whether got is as want asks, and binds variables.
func fits(want, got any, vars map[string]any) bool {
	switch w := want.(type) {
	case string:
		if w == "*" {
			return true
		}
		if strings.HasPrefix(w, "$") {
			if had, ok := vars[w]; ok {
				return reflect.DeepEqual(had, got)
			}
			vars[w] = got
			return true
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !fits(w[i], g[i], vars) {
				return false
			}
		}
		return true
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for k := range w {
			v, ok := g[k]
			if w[k] == "-" {
				if ok {
					return false
				}
				continue
			}
			if !ok || !fits(w[k], v, vars) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, got)
}
