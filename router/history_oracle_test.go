package router_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A logbook is a [router.History] of one topic and its channels, for tests. Its
// publication IDs are 10 times the place, and its number.
type logbook struct {
	topic  wamp.URI
	number uint64
	events []router.PastEvent
	slow   func() // called by Read; may be nil
}

func (l *logbook) add(channel, text string) wamp.ID {
	place := uint64(len(l.events) + 1)
	p := router.Publication{
		ID: wamp.ID(10*place + l.number), Topic: l.topic, ShowTopic: true,
		Payload: wamp.Payload{Serializer: wamp.JSON, Args: fmt.Appendf(nil, "[%q]", text)},
		Fields:  []wamp.Field{wamp.UintField("_offset", place)},
	}
	if channel != "" {
		p.Channel = l.topic + "." + wamp.URI(channel)
	}
	l.events = append(l.events, router.PastEvent{Place: place, Time: time.Now().Truncate(time.Millisecond), Publication: p})
	return p.ID
}

func (l *logbook) Last() uint64 { return uint64(len(l.events)) }

func (l *logbook) Seek(_ context.Context, t time.Time, through uint64) (uint64, error) {
	var after uint64
	for after < through && l.events[after].Time.Before(t) {
		after++
	}
	return after, nil
}

func (l *logbook) Place(id wamp.ID) uint64 {
	if uint64(id)%10 != l.number {
		return 0
	}
	return uint64(id) / 10
}

// Read returns few events at a time, and those of other channels, too.
func (l *logbook) Read(ctx context.Context, r router.HistoryRange) (page []router.PastEvent, _ error) {
	if l.slow != nil {
		l.slow()
	}
	for _, e := range l.events {
		if e.Place > r.After && e.Place <= r.Through {
			page = append(page, e)
		}
	}
	if r.Reverse {
		slices.Reverse(page)
	}
	return page[:min(len(page), r.Limit, 3)], context.Cause(ctx)
}

// An archive governs the topics under "log.", and has their past.
type archive struct {
	keeper
	books []*logbook
}

func (*archive) Governs(topic wamp.URI) bool { return strings.HasPrefix(string(topic), "log.") }

func (a *archive) Histories(s *router.Session, i router.Interest, _ *router.Filter) (list []router.History, err error) {
	if i.Topic == "log.secret" {
		return nil, wamp.Errorf(wamp.URINotAuthorized, "role %q may not see log.secret", s.AuthRole())
	}
	for _, l := range a.books {
		if wamp.Overlap(i.Topic, i.Match, l.topic, wamp.Prefix) {
			list = append(list, l)
		}
	}
	return list, nil
}

// A fact is an event of the naive history.
type fact struct {
	ms             int64
	rank, place    int
	id             wamp.ID
	topic, channel string
	notFor         string // an authid
}

// fitsNaively reports whether topic fits the pattern.
func fitsNaively(pattern, match, topic string) bool {
	switch match {
	case "prefix":
		return strings.HasPrefix(topic, pattern)
	case "wildcard":
		p, t := strings.Split(pattern, "."), strings.Split(topic, ".")
		return slices.EqualFunc(p, t, func(want, have string) bool { return want == "" || want == have })
	default:
		return topic == pattern
	}
}

// naive is the history of a subscription, as a plain walk over all events.
func naive(facts []fact, sub oracleSub, authid string, q map[string]any) (ids []wamp.ID, more bool, missing bool) {
	shown := func(f fact) bool {
		return f.notFor != authid &&
			(fitsNaively(sub.topic, sub.match, f.topic) || f.channel != "" && fitsNaively(sub.topic, sub.match, f.channel))
	}
	place := map[wamp.ID]int{}
	for i, f := range facts {
		if shown(f) {
			place[f.id] = i
		}
	}
	limit := 1000
	for i, f := range facts {
		ok := shown(f)
		for name, v := range q {
			switch v := v.(type) {
			case wamp.ID:
				at, known := place[v]
				missing = missing || !known
				ok = ok && (name == "from_publication" && i >= at || name == "after_publication" && i > at ||
					name == "before_publication" && i < at || name == "until_publication" && i <= at)
			case time.Time:
				t := time.UnixMilli(f.ms)
				ok = ok && (name == "from_time" && !t.Before(v) || name == "after_time" && t.After(v) ||
					name == "before_time" && t.Before(v) || name == "until_time" && !t.After(v))
			case string:
				ok = ok && (f.topic == v || f.channel == v)
			case int:
				limit = v
			}
		}
		if ok {
			ids = append(ids, f.id)
		}
	}
	if q["reverse"] == true {
		slices.Reverse(ids)
	}
	more = len(ids) > limit
	return ids[:min(len(ids), limit)], more, missing
}

// An oracleSub is a subscription of the test.
type oracleSub struct {
	topic, match string
	id           wamp.ID
}

// The history of every subscription is that of a naive one: for whatever
// conditions, over one or several sources, whose events are mixed by time.
func TestHistoryOracle(t *testing.T) {
	seeds, queries := uint64(4), 1500
	if raceEnabled {
		seeds, queries = 1, 500
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playOracle(t, rand.New(rand.NewPCG(seed, 7)), queries) })
		})
	}
}

func playOracle(t *testing.T, rng *rand.Rand, queries int) {
	gov := &archive{books: []*logbook{{topic: "log.a", number: 1}, {topic: "log.b", number: 2}}}
	tr := newRouterGoverned(t, gov)
	const kept = 40
	tr.rt.Realm(testRealm).KeepHistory([]router.HistoryConfig{
		{Topic: "chat.vip", Events: kept, Bytes: 1 << 20},
		{Topic: "chat.", Match: wamp.Prefix, Events: kept, Bytes: 1 << 20},
		{Topic: "chat..x", Match: wamp.Wildcard, Events: kept, Bytes: 1 << 20}, // gets nothing: chat. is first
		{Topic: "news..", Match: wamp.Wildcard, Events: kept, Bytes: 1 << 20},
	})
	readers := map[string]*client{}
	for _, authid := range []string{"ada", "bob"} {
		c := tr.connect()
		c.send(fmt.Sprintf(`[1,"realm1",{"authid":%q,"roles":{"publisher":{},"subscriber":{},"caller":{}}}]`, authid))
		c.mustNext(t, 2)
		readers[authid] = c
	}
	subs := []oracleSub{
		{topic: "chat.vip"},
		{topic: "chat.a"},
		{topic: "chat.a.x"},
		{topic: "chat", match: "prefix"},
		{topic: "", match: "prefix"},
		{topic: "chat..x", match: "wildcard"},
		{topic: ".a.x", match: "wildcard"},
		{topic: "news..", match: "wildcard"},
		{topic: "log.a"},
		{topic: "log.a.one"},
		{topic: "log.", match: "prefix"},
		{topic: "log.a.t", match: "prefix"},
		{topic: "..", match: "wildcard"},
	}
	for i := range subs {
		s := &subs[i]
		s.match = cmp.Or(s.match, "exact")
		p := tr.connect()
		p.send(hello)
		p.mustNext(t, 2)
		p.send(fmt.Sprintf(`[32,1,{"match":%q},%q]`, s.match, s.topic))
		if err := json.Unmarshal(p.mustNext(t, 33)[2], &s.id); err != nil {
			t.Fatal(err)
		}
		p.link.mu.Lock()
		p.link.drop = true
		p.link.mu.Unlock()
	}
	var facts []fact
	publisher := tr.connect()
	publisher.send(hello)
	publisher.mustNext(t, 2)
	for n := range 300 {
		time.Sleep(time.Duration(rng.IntN(3)) * 400 * time.Microsecond)
		topics := []string{"chat.vip", "chat.a", "chat.a.x", "chat.b", "news.a.x", "news.b", "other.a.x", "log.a", "log.a one", "log.a two", "log.b"}
		f := fact{topic: topics[rng.IntN(len(topics))], ms: time.Now().UnixMilli(), place: n}
		switch {
		case strings.HasPrefix(f.topic, "log."):
			name, channel, _ := strings.Cut(f.topic, " ")
			f.rank = 4 + slices.Index([]string{"log.a", "log.b"}, name)
			f.topic = name
			if channel != "" {
				f.channel = name + "." + channel
			}
			f.id = gov.books[f.rank-4].add(channel, fmt.Sprint(n))
		default:
			options := `{"acknowledge":true}`
			if rng.IntN(4) == 0 {
				f.notFor = "bob"
				options = `{"acknowledge":true,"exclude_authid":["bob"]}`
			}
			publisher.send(fmt.Sprintf(`[16,%d,%s,%q,[%d]]`, n+1, options, f.topic, n))
			if err := json.Unmarshal(publisher.mustNext(t, 17)[2], &f.id); err != nil {
				t.Fatal(err)
			}
			switch {
			case f.topic == "chat.vip":
			case strings.HasPrefix(f.topic, "chat."):
				f.rank = 1
			case fitsNaively("news..", "wildcard", f.topic):
				f.rank = 3
			default:
				continue // not kept
			}
		}
		facts = append(facts, f)
	}
	// Each ring has the last of its own.
	count := map[int]int{}
	var left []fact
	for _, f := range slices.Backward(facts) {
		if count[f.rank]++; f.rank >= 4 || count[f.rank] <= kept {
			left = append(left, f)
		}
	}
	slices.SortFunc(left, func(a, b fact) int {
		return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.rank, b.rank), cmp.Compare(a.place, b.place))
	})
	answers := 0
	for n := range queries {
		sub := subs[rng.IntN(len(subs))]
		authid := []string{"ada", "bob"}[rng.IntN(2)]
		q := randomQuery(rng, left)
		ids, more, missing := naive(left, sub, authid, q)
		want := fmt.Sprint(ids, more)
		if missing {
			want = string(wamp.URINoSuchEvent)
		}
		c := readers[authid]
		call := fmt.Sprintf(`[48,%d,{},"wamp.subscription.get_events",[%d],%s]`, n+1, sub.id, queryJSON(q))
		if got := answerTo(t, c.ask(call)); got != want {
			t.Fatalf("%s of %s %q for %s:\n got %s\nwant %s", call, sub.match, sub.topic, authid, got, want)
		} else if len(ids) > 0 && !missing {
			answers++
		}
	}
	if answers < queries/5 {
		t.Errorf("only %d of %d answers have events", answers, queries)
	}
}

// randomQuery returns conditions, of which some may be met.
func randomQuery(rng *rand.Rand, facts []fact) map[string]any {
	q := map[string]any{}
	any := func() fact { return facts[rng.IntN(len(facts))] }
	for _, side := range []string{"from", "after", "before", "until"} {
		if rng.IntN(6) == 0 {
			q[side+"_publication"] = any().id
		}
		if rng.IntN(6) == 0 {
			q[side+"_time"] = time.UnixMilli(any().ms).Add(time.Duration(rng.IntN(3)-1) * 300 * time.Microsecond).UTC()
		}
	}
	if rng.IntN(2) == 0 {
		q["limit"] = 1 + rng.IntN(20)
	}
	if rng.IntN(2) == 0 {
		q["reverse"] = rng.IntN(4) > 0
	}
	if rng.IntN(5) == 0 {
		f := any()
		q["topic"] = cmp.Or(f.channel, f.topic)
	}
	return q
}

func queryJSON(q map[string]any) []byte {
	b, err := json.Marshal(q)
	if err != nil {
		panic(err)
	}
	return b
}

// answerTo returns the publication IDs of the answer to a call of get_events,
// and whether there are more, or the URI of its error.
func answerTo(t testing.TB, msg string) string {
	t.Helper()
	var m []json.RawMessage
	if err := json.Unmarshal([]byte(msg), &m); err != nil || len(m) < 5 {
		t.Fatalf("the answer is %q: %v", msg, err)
	}
	if string(m[0]) == "8" {
		return strings.Trim(string(m[4]), `"`)
	}
	var list []struct{ Publication wamp.ID }
	var info struct{ More bool }
	if err := cmp.Or(json.Unmarshal(m[3], &list), json.Unmarshal(m[4], &info)); err != nil {
		t.Fatalf("%s: %v", m, err)
	}
	ids := make([]wamp.ID, len(list))
	for i, e := range list {
		ids[i] = e.Publication
	}
	return fmt.Sprint(ids, info.More)
}
