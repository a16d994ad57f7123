package torture_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A scene is a history in a few lines, one for each entry:
//
//	publish a b                      two publications of class log
//	publish a class=… room=… tag=…   of another one, with a given id
//	ok a E:1    ok a pub=7    refused a    unknown a
//	asked s/1                        SUBSCRIBE, over its connection 1
//	sub s/1 node=a                   SUBSCRIBED, at gateway a
//	event s/1 a E:1 replayed pub=7   also: as=… room=… tag=…
//	gap s/1 E:3-5                    _recovered: false
//	broken s/1    done s
//	acked s/1 E:3    acked s/1 E:3 upto
//	fault redis loses store crash    heal redis    also: pongs, split
//	final a E:1    final a E:1 time=…
//
// A second passes from each to the next.
type scene struct {
	t    *testing.T
	h    history
	room map[string]*entry // what was published
}

func readScene(t *testing.T, p promise, subs []subscriber, text string) *history {
	t.Helper()
	sc := &scene{t: t, h: history{Promise: p, Subscribers: subs}, room: map[string]*entry{}}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "//")
		if words := strings.Fields(line); len(words) > 0 {
			sc.read(words)
		}
	}
	return &sc.h
}

func (sc *scene) add(e entry) {
	e.N, e.At = len(sc.h.entries), time.Duration(len(sc.h.entries))*time.Second
	sc.h.entries = append(sc.h.entries, e)
}

func (sc *scene) read(words []string) {
	sc.t.Helper()
	e := entry{Class: "log"}
	var ids []string
	who := words[1]
	for _, w := range words[2:] {
		key, value, pair := strings.Cut(w, "=")
		epoch, offset, position := strings.Cut(w, ":")
		switch {
		case pair && key == "class":
			e.Class = value
		case pair && key == "room":
			e.Room = value
		case pair && key == "node":
			e.Node = value
		case pair && key == "time":
			e.Time = value
		case pair && key == "as":
			e.As = value
		case pair && key == "tag":
			e.Tag = int(sc.number(value))
		case pair && key == "pub":
			e.Pub = sc.number(value)
		case position:
			from, through, _ := strings.Cut(offset, "-")
			e.Epoch, e.Offset = epoch, sc.number(from)
			if through != "" {
				e.Through = sc.number(through)
			}
		case w == "replayed":
			e.Replayed = true
		case w == "upto":
			e.Upto = true
		case w == "loses":
			e.Loses = true
		case w == "pongs":
			e.Pongs = true
		case w == "store":
			e.Store = true
		case w == "crash":
			e.Crash = true
		case w == "split":
			e.Split = true
		default:
			ids = append(ids, w)
		}
	}
	switch words[0] {
	case "publish":
		for _, id := range append([]string{who}, ids...) {
			e.Kind, e.ID, e.Given = kindPublish, id, true
			sc.room[id] = new(e)
			sc.add(e)
		}
		return
	case "ok", "refused", "unknown", "final":
		e.Kind, e.ID = kind(words[0]), who
		if p := sc.room[who]; p != nil {
			e.Class = p.Class
		}
	case "sub", "asked":
		e.Kind = kindSubscribed
		if words[0] == "asked" {
			e.Kind = kindAsked
		}
	case "event":
		e.Kind, e.ID = kindEvent, ids[0]
		if p := sc.room[e.ID]; p != nil && e.As == "" {
			e.As, e.Class = e.ID, p.Class
			if e.Room == "" && e.Tag == 0 {
				e.Room, e.Tag = p.Room, p.Tag
			}
		}
	case "gap", "broken", "acked", "done", "fault", "heal":
		e.Kind = kind(words[0])
	default:
		sc.t.Fatalf("a scene has no %q", words[0])
	}
	name, conn, _ := strings.Cut(who, "/")
	if e.Kind == kindPublish || e.Kind == kindOK || e.Kind == kindRefused || e.Kind == kindUnknown || e.Kind == kindFinal {
		name = "p"
	}
	e.Who = name
	if conn != "" {
		e.Conn = int(sc.number(conn))
	}
	sc.add(e)
}

func (sc *scene) number(s string) uint64 {
	sc.t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		sc.t.Fatal(err)
	}
	return n
}

// The promises, and who is there, in the scenes.
var (
	durable  = promise{Name: "durable"}
	durableR = promise{Name: "durable, in Redis", Epochs: true}
	lossy    = promise{Name: "lossy", Loses: 3 * time.Second, Epochs: true}
	trimmed  = promise{Name: "trimmed", Trimmed: map[string]uint64{"log": 2}}

	trimmedR = promise{Name: "trimmed, in Redis", Epochs: true, Trimmed: map[string]uint64{"log": 2}}

	keeper     = subscriber{Name: "s", Class: "log", All: true, Keeps: true}
	persistent = subscriber{Name: "s", Class: "log"}
	auto       = subscriber{Name: "s", Class: "log", Auto: true}
	first      = subscriber{Name: "s", Class: "log", Shared: "ada"}
	second     = subscriber{Name: "t", Class: "log", Shared: "ada"}
	ofRoom     = subscriber{Name: "s", Class: "log", All: true, Keeps: true, Room: "r1", Filters: true}
	ofTags     = subscriber{Name: "s", Class: "log", All: true, Keeps: true, Tags: []int{1, 3}, Filters: true}
	ofPlain    = subscriber{Name: "s", Class: "tick", Plain: true}
)

// Each rule finds what is against it and nothing else, and passes what is not.
func TestCheckerFindsWhatIsPlanted(t *testing.T) {
	const quiet = "sub s/1\npublish a b c\nok a E:1\nok b E:2\nok c E:3\n"
	const log = "final a E:1\nfinal b E:2\nfinal c E:3\n"
	// Gateway a has the old primary, which takes b, and gateway b the new one, in
	// which c and d are; b is lost.
	const parted = "asked s/1\nsub s/1 node=b\npublish a b c\nok a E:1\nevent s/1 a E:1\nfault redis store crash loses split\nunknown b\nok c F:2\nevent s/1 c F:2\npublish d\nok d F:3\nbroken s/1\n"
	const partedLog = "final a F:1\nfinal c F:2\nfinal d F:3\n"
	tests := []struct {
		name    string
		promise promise
		sub     subscriber
		text    string
		rule    int // 0: none
		want    string
	}{
		{"all is well", durable, keeper, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\ndone s\n" + log, 0, ""},
		{"it comes by two connections", durable, keeper, quiet + "event s/1 a E:1\nbroken s/1\nsub s/2\nevent s/2 b E:2 replayed\nevent s/2 c E:3\ndone s\n" + log, 0, ""},
		{"what is unknown may come", durable, keeper, "sub s/1\npublish a\nunknown a\npublish b\nunknown b\nevent s/1 b E:1\ndone s\nfinal b E:1\n", 0, ""},
		{"a second attempt", durable, keeper, "sub s/1\npublish a\nunknown a\npublish a\nok a E:1\nevent s/1 a E:1\ndone s\nfinal a E:1\n", 0, ""},

		{"an acknowledged event never comes, the last", durable, keeper, quiet + "event s/1 a E:1\nevent s/1 b E:2\ndone s\n" + log, 1, "c never came, and is in the log"},
		{"an event is missing before another", durable, persistent, quiet + "event s/1 a E:1\nevent s/1 c E:3\ndone s\n" + log, 1, "offsets 2 to 2 are missing before 3"},
		{"the first is missing", durable, keeper, quiet + "event s/1 b E:2\nevent s/1 c E:3\ndone s\n" + log, 1, "offsets 1 to 1 are missing before 2"},
		{"an event of unknown outcome never comes, and is in the log", durable, ofRoom, "sub s/1\npublish a room=r1\nunknown a\npublish b room=r1\nok b E:2\nevent s/1 b E:2\ndone s\nfinal a E:1\nfinal b E:2\n", 1, "a never came, and is in the log"},
		{"missing for a query", durable, ofTags, "sub s/1\npublish a tag=1\npublish b tag=2\npublish c tag=3\nok a E:1\nok b E:2\nok c E:3\nevent s/1 c E:3\ndone s\nfinal a E:1\nfinal b E:2\nfinal c E:3\n", 1, "a never came"},
		{"never the last event", durable, keeper, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\n" + log, 1, "it never got the last event"},
		{"published before SUBSCRIBED", durable, persistent, "publish a\nsub s/1\npublish b\nok a E:1\nok b E:2\nevent s/1 b E:2\ndone s\nfinal a E:1\nfinal b E:2\n", 0, ""},

		{"out of order", durable, ofRoom, "sub s/1\npublish a room=r1\npublish b room=r1\nevent s/1 b E:2\nevent s/1 a E:1\ndone s\nfinal a E:1\nfinal b E:2\n", 2, "offset 1 comes after 2"},
		{"out of order over the next connection", durable, ofRoom, "sub s/1\npublish a room=r1\npublish b room=r1\nevent s/1 b E:2\nbroken s/1\nsub s/2\nevent s/2 a E:1 replayed\ndone s\nfinal a E:1\nfinal b E:2\n", 2, "offset 1 comes after 2"},
		{"an epoch comes again", durableR, keeper, "sub s/1\npublish a b c\nevent s/1 a E:1\nfault redis store crash\nheal redis\nevent s/1 b F:2\nevent s/1 c E:2\ndone s\nfinal a F:1\nfinal b F:2\n", 2, "epoch E comes again after F"},
		{"an epoch comes again at a gateway with the old primary", durableR, persistent, parted + "asked s/2\nsub s/2 node=a\nevent s/2 b E:2\nbroken s/2\nasked s/3\nsub s/3 node=b\nevent s/3 d F:3\nheal redis\ndone s\n" + partedLog, 0, ""},
		{"an epoch comes again at the same gateway", durableR, persistent, parted + "asked s/2\nsub s/2 node=b\nevent s/2 b E:2\nheal redis\ndone s\n" + partedLog, 2, "epoch E comes again after F"},
		{"an epoch comes again when there is but one primary", durableR, persistent, strings.Replace(parted, " split", "", 1) + "asked s/2\nsub s/2 node=a\nevent s/2 b E:2\nheal redis\ndone s\n" + partedLog, 2, "epoch E comes again after F"},
		{"an epoch comes again when there is but one primary again", durableR, persistent, parted + "heal redis\nasked s/2\nsub s/2 node=a\nevent s/2 b E:2\ndone s\n" + partedLog, 2, "epoch E comes again after F"},
		{"an epoch comes again for the second time, at the same gateway", durableR, persistent, parted + "asked s/2\nsub s/2 node=a\nevent s/2 b E:2\nbroken s/2\nasked s/3\nsub s/3 node=b\nevent s/3 d F:3\nevent s/3 b E:2 replayed\nheal redis\ndone s\n" + partedLog, 2, "epoch E comes again after F"},
		{"an epoch was left for an older one, and for a newer one", durableR, persistent, parted + "asked s/2\nsub s/2 node=a\nevent s/2 b E:2\nheal redis\nfault redis store crash\nheal redis\npublish e\nok e G:4\nevent s/2 e G:4\nbroken s/2\nsub s/3 node=b\nevent s/3 d F:3\ndone s\nfinal a G:1\nfinal c G:2\nfinal d G:3\nfinal e G:4\n", 2, "epoch F comes again after G"},
		{"a position is not known to the old primary, and told", durableR, keeper, parted + "asked s/2\nsub s/2 node=a\ngap s/2 E:0\nevent s/2 a E:1 replayed\nevent s/2 b E:2\nbroken s/2\nasked s/3\nsub s/3 node=b\ngap s/3 F:0\nevent s/3 c F:2 replayed\nheal redis\nevent s/3 d F:3\ndone s\n" + partedLog, 0, ""},
		{"a position is not known to the old primary, and not told", durableR, keeper, parted + "asked s/2\nsub s/2 node=a\nevent s/2 b E:2\nheal redis\nevent s/2 d F:3\ndone s\n" + partedLog, 2, "epoch E comes again after F"},
		{"repeated by the old primary, and not marked", durableR, keeper, parted + "asked s/2\nsub s/2 node=a\ngap s/2 E:0\nevent s/2 a E:1\nheal redis\nevent s/2 d F:3\ndone s\n" + partedLog, 3, "is not marked"},
		{"repeated by the old primary, and once more by the next connection", durableR, keeper, parted + "asked s/2\nsub s/2 node=a\ngap s/2 E:0\nevent s/2 a E:1 replayed\nbroken s/2\nasked s/3\nsub s/3 node=a\nevent s/3 a E:1 replayed\nheal redis\nevent s/3 d F:3\ndone s\n" + partedLog, 3, "the client had said that it has it"},
		{"later, and before", durable, keeper, "sub s/1\npublish a\nok a E:2\npublish b\nok b E:1\nevent s/1 b E:1\nevent s/1 a E:2\ndone s\nfinal b E:1\nfinal a E:2\n", 2, "published when a had been acknowledged"},
		{"time goes back", durable, ofRoom, "sub s/1\npublish a b\nok a E:1\nok b E:2\ndone s\nfinal a E:1 time=2026-01-02T00:00:00.5Z\nfinal b E:2 time=2026-01-02T00:00:00.25Z\n", 2, "b is of 2026-01-02T00:00:00.25Z, after 2026-01-02T00:00:00.5Z"},
		{"time stands still, and goes on", durable, ofRoom, "sub s/1\npublish a b c\nok a E:1\nok b E:2\nok c E:3\ndone s\nfinal a E:1 time=2026-01-02T00:00:00.5Z\nfinal b E:2 time=2026-01-02T00:00:00.5Z\nfinal c E:3 time=2026-01-02T00:00:01Z\n", 0, ""},
		{"an event before SUBSCRIBED", durable, keeper, "publish a\nevent s/1 a E:1\nsub s/1\nok a E:1\ndone s\nfinal a E:1\n", 2, "of which nothing was subscribed"},

		{"twice over a connection", durable, keeper, quiet + "event s/1 a E:1\nevent s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\ndone s\n" + log, 3, "twice over the same connection"},
		{"the position is not respected", durable, keeper, quiet + "event s/1 a E:1\nbroken s/1\nsub s/2\nevent s/2 a E:1 replayed\nevent s/2 b E:2\nevent s/2 c E:3\ndone s\n" + log, 3, "the client had said that it has it"},
		{"repeated and marked", durable, persistent, quiet + "event s/1 a E:1\nbroken s/1\nsub s/2\nevent s/2 a E:1 replayed\nevent s/2 b E:2\nevent s/2 c E:3\ndone s\n" + log, 0, ""},
		{"repeated and not marked", durable, persistent, quiet + "event s/1 a E:1\nbroken s/1\nsub s/2\nevent s/2 a E:1\nevent s/2 b E:2\nevent s/2 c E:3\ndone s\n" + log, 3, "is not marked"},
		{"repeated after it was acknowledged", durable, persistent, quiet + "event s/1 a E:1\nacked s/1 E:1\nbroken s/1\nsub s/2\nevent s/2 a E:1 replayed\nevent s/2 b E:2\nevent s/2 c E:3\ndone s\n" + log, 3, "again after it was acknowledged"},
		{"repeated after all up to it was acknowledged", durable, persistent, quiet + "event s/1 a E:1\nevent s/1 b E:2\nacked s/1 E:2 upto\nbroken s/1\nsub s/2\nevent s/2 a E:1 replayed\nevent s/2 b E:2 replayed\nevent s/2 c E:3\ndone s\n" + log, 3, "again after it was acknowledged"},
		{"repeated after it was acknowledged and all crashed", durable, persistent, quiet + "event s/1 a E:1\nacked s/1 E:1\nfault gateway crash\nheal gateway\nbroken s/1\nsub s/2\nevent s/2 a E:1 replayed\nevent s/2 b E:2\nevent s/2 c E:3\ndone s\n" + log, 0, ""},
		{"repeated after it was acknowledged at another gateway", durable, persistent, strings.Replace(quiet, "sub s/1", "sub s/1 node=a", 1) + "event s/1 a E:1\nacked s/1 E:1\nbroken s/1\nsub s/2 node=b\nevent s/2 a E:1 replayed\nevent s/2 b E:2\nevent s/2 c E:3\ndone s\n" + log, 0, ""},

		{"repeated after it was acknowledged to a store that had lost something", lossy, persistent, "sub s/1\npublish a b\nok a E:1\nevent s/1 a E:1\nfault redis loses store crash\nheal redis\nevent s/1 b E:2\nacked s/1 E:2\nbroken s/1\nsub s/2\nevent s/2 b E:2 replayed\ndone s\nfinal a E:1\nfinal b E:2\n", 3, "after it was acknowledged"},
		{"repeated though pings behind it were answered", durable, auto, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\npublish v w x y z\nbroken s/1\nsub s/2\nevent s/2 c E:3 replayed\ndone s\n" + log, 3, "though it had come"},
		{"repeated as pings behind it were not answered", durable, auto, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\nfault clients pongs\npublish v w x y z\nbroken s/1\nheal clients\nsub s/2\nevent s/2 c E:3 replayed\ndone s\n" + log, 0, ""},
		{"repeated as it had just come", durable, auto, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\nbroken s/1\nsub s/2\nevent s/2 c E:3 replayed\ndone s\n" + log, 0, ""},
		{"lost by the store", durable, ofRoom, "sub s/1\npublish a room=r1\nok a E:1\npublish b room=r1\nok b E:2\nevent s/1 a E:1\nevent s/1 b E:2\ndone s\nfinal a E:1\n", 4, "b: it was acknowledged, and is not in the last log"},
		{"lost in a fault that may lose, by a new epoch", lossy, keeper, "sub s/1\npublish a b\nok a E:1\nok b E:2\nevent s/1 a E:1\nfault redis loses store crash\nheal redis\nbroken s/1\nsub s/2\ngap s/2 F:0\nevent s/2 a F:1 replayed\npublish c\nok c F:2\nevent s/2 c F:2\ndone s\nfinal a F:1\nfinal c F:2\n", 0, ""},
		{"lost and the epoch stays", lossy, ofRoom, "sub s/1\npublish a room=r1\nok a E:1\npublish b room=r1\nok b E:2\nevent s/1 a E:1\nfault redis loses store crash\nheal redis\npublish c room=r1\nok c E:3\nevent s/1 c E:3\ndone s\nfinal a E:1\nfinal c E:3\n", 4, "is not in the last log"},
		{"lost though it was older than what may be", lossy, ofRoom, "sub s/1\npublish a room=r1\nok a E:1\npublish b c d e room=r1\nok e E:2\nevent s/1 e E:2\nfault redis loses store crash\nheal redis\npublish z room=r1\nok z F:1\nevent s/1 z F:1\ndone s\nfinal z F:1\n", 4, "a: it was acknowledged"},
		{"lost when nothing was broken any more", lossy, ofRoom, "sub s/1\nfault redis loses store crash\nheal redis\npublish a room=r1\nok a F:1\npublish z room=r1\nok z G:1\nevent s/1 z G:1\ndone s\nfinal z G:1\n", 4, "a: it was acknowledged"},
		{"trimmed and announced", trimmed, keeper, quiet + "event s/1 a E:1\nbroken s/1\nsub s/2\ngap s/2 E:2-2\nevent s/2 c E:3 replayed\ndone s\nfinal c E:3\n", 0, ""},
		{"trimmed and not announced", trimmed, ofRoom, "sub s/1\npublish a b c room=r1\nok a E:1\nok b E:2\nok c E:3\nevent s/1 a E:1\nbroken s/1\nsub s/2\nevent s/2 c E:3 replayed\ndone s\nfinal c E:3\n", 1, "b was acknowledged, never came"},
		{"trimmed of a new epoch, and announced", trimmedR, ofRoom, "sub s/1\npublish a b c room=r1\nevent s/1 a E:1\nfault redis store crash\nheal redis\nbroken s/1\nok b F:2\nok c F:3\nsub s/2\ngap s/2 F:0\nevent s/2 c F:3 replayed\ndone s\nfinal c F:3\n", 0, ""},
		{"trimmed, as it was in the epoch before", trimmedR, ofRoom, "sub s/1\npublish a b c room=r1\nevent s/1 a E:1\nok b E:2\nfault redis store crash\nheal redis\nbroken s/1\nok c F:3\nsub s/2\ngap s/2 F:0\nevent s/2 c F:3 replayed\ndone s\nfinal c F:3\n", 0, ""},
		{"trimmed, and the position was of the epoch before", trimmedR, persistent, "sub s/1\npublish a b c d\nevent s/1 a E:1\nfault redis store crash\nheal redis\nevent s/1 b F:2\nbroken s/1\nok c F:3\nok d F:4\nsub s/2\ngap s/2 F:0\nevent s/2 d F:4 replayed\ndone s\nfinal d F:4\n", 0, ""},
		{"trimmed before anybody knew of it", trimmed, persistent, "sub s/1\npublish a b c d\nunknown b\nunknown c\nevent s/1 a E:1\nevent s/1 d E:4\ndone s\nfinal d E:4\n", 1, "offsets 2 to 3 are missing before 4"},
		{"trimmed before anybody knew of it, and told", trimmed, persistent, "sub s/1\npublish a b c d\nunknown b\nunknown c\nevent s/1 a E:1\ngap s/1 E:2-3\nbroken s/1\nsub s/2\nevent s/2 d E:4\ndone s\nfinal d E:4\n", 0, ""},
		{"trimmed and told in part", trimmed, persistent, "sub s/1\npublish a b c d\nunknown b\nunknown c\nevent s/1 a E:1\ngap s/1 E:3-3\nevent s/1 d E:4\ndone s\nfinal d E:4\n", 1, "offsets 2 to 3 are missing before 4"},
		{"trimmed, and told in the next epoch", trimmedR, ofRoom, "sub s/1\npublish a b c room=r1\nok a E:1\nok b E:2\nevent s/1 a E:1\nbroken s/1\nfault redis store crash\nheal redis\nsub s/2\ngap s/2 F:2-2\nok c F:3\nevent s/2 c F:3\ndone s\nfinal c F:3\n", 0, ""},
		{"trimmed where the old primary is, and where it is not", trimmedR, keeper, parted + "publish e f g\nunknown e\nunknown f\nunknown g\nasked s/2\nsub s/2 node=a\ngap s/2 E:0\nevent s/2 f E:4\nbroken s/2\nok g F:4\nasked s/3\nsub s/3 node=b\ngap s/3 F:0\nevent s/3 g F:4 replayed\nheal redis\ndone s\nfinal d F:3\nfinal g F:4\n", 0, ""},
		{"missing where the old primary is, of a log that is not trimmed", durableR, keeper, parted + "publish e f\nunknown e\nunknown f\nasked s/2\nsub s/2 node=a\ngap s/2 E:0\nevent s/2 f E:4\nbroken s/2\nasked s/3\nsub s/3 node=b\ngap s/3 F:0\nevent s/3 c F:2 replayed\nevent s/3 d F:3\nheal redis\ndone s\n" + partedLog, 1, "offsets 2 to 3 are missing before 4"},
		{"trimmed, and known to its publisher", trimmed, persistent, "sub s/1\npublish a b c d\nunknown b\nok c E:3\nevent s/1 a E:1\nevent s/1 d E:4\ndone s\nfinal d E:4\n", 1, "offsets 2 to 3 are missing"},
		{"trimmed, without a range", trimmedR, persistent, "sub s/1\npublish a b c d\nok b E:2\nok c E:3\nevent s/1 a E:1\nbroken s/1\nsub s/2\ngap s/2 E:0\nevent s/2 d E:4 replayed\ndone s\nfinal d E:4\n", 1, "offsets 2 to 3 are missing"},
		{"trimmed of a new epoch, and not announced", trimmedR, ofRoom, "sub s/1\npublish a b c room=r1\nevent s/1 a E:1\nfault redis store crash\nheal redis\nbroken s/1\nok b F:2\nok c F:3\nsub s/2\nevent s/2 c F:3 replayed\ndone s\nfinal c F:3\n", 1, "b was acknowledged, never came"},
		{"trimmed, and another range announced", trimmed, persistent, "sub s/1\npublish a b c d\nok b E:2\nok c E:3\nevent s/1 a E:1\nbroken s/1\nsub s/2\ngap s/2 E:2-2\nevent s/2 d E:4 replayed\ndone s\nfinal d E:4\n", 1, "offsets 2 to 3 are missing before 4"},
		{"a loss without a cause", durable, keeper, quiet + "event s/1 a E:1\nbroken s/1\nsub s/2\ngap s/2 E:2-2\nevent s/2 b E:2 replayed\nevent s/2 c E:3\ndone s\n" + log, 4, "told that events are lost, without a cause"},
		{"a range that is none", trimmed, persistent, quiet + "event s/1 a E:1\nbroken s/1\nsub s/2\ngap s/2 E:3-2\nevent s/2 b E:2 replayed\nevent s/2 c E:3\ndone s\n" + log, 4, "told that 3 to 2 are lost"},
		{"a process of the store begins two epochs", durableR, ofRoom, "sub s/1\npublish a b c\nok a E:1\nfault redis store crash\nheal redis\nok b F:2\nok c G:3\ndone s\nfinal a G:1\nfinal b G:2\nfinal c G:3\n", 0, ""},
		{"a process of the store begins three epochs", durableR, ofRoom, "sub s/1\npublish a b c d\nok a E:1\nfault redis store crash\nheal redis\nok b F:2\nok c G:3\nok d H:4\ndone s\nfinal a H:1\nfinal b H:2\nfinal c H:3\nfinal d H:4\n", 4, "begun anew, as epoch H, without a cause"},
		{"an epoch without a cause", durable, keeper, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\npublish d\nok d F:4\nevent s/1 d F:4\ndone s\nfinal a F:1\nfinal b F:2\nfinal c F:3\nfinal d F:4\n", 4, "begun anew, as epoch F, without a cause"},

		{"acknowledged in the epoch before", durableR, persistent, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\nacked s/1 E:2\nfault redis store crash\nheal redis\nbroken s/1\nsub s/2\nevent s/2 a F:1 replayed\nevent s/2 c F:3 replayed\ndone s\nfinal a F:1\nfinal b F:2\nfinal c F:3\n", 0, ""},
		{"had and not acknowledged in the epoch before", durableR, persistent, quiet + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\nfault redis store crash\nheal redis\nbroken s/1\nsub s/2\nevent s/2 a F:1 replayed\nevent s/2 c F:3 replayed\ndone s\nfinal a F:1\nfinal b F:2\nfinal c F:3\n", 1, "offsets 2 to 2 are missing before 3"},

		{"an event that nobody published", durable, keeper, "sub s/1\nevent s/1 x E:1\ndone s\n", 5, `nobody has published "x"`},
		{"an event before it is published", durable, keeper, "sub s/1\nevent s/1 a E:1\npublish a\nok a E:1\ndone s\nfinal a E:1\n", 5, "nobody has published"},
		{"a refused event comes", durable, keeper, "sub s/1\npublish a\nrefused a\nevent s/1 a E:1\ndone s\n", 5, "a was refused, and comes"},
		{"a refused event is in the log", durable, ofRoom, "sub s/1\npublish a\nrefused a\ndone s\nfinal a E:1\n", 5, "a was refused, and is in the log"},
		{"the log has an event that nobody published", durable, ofRoom, "sub s/1\ndone s\nfinal x E:1\n", 5, `nobody has published "x"`},
		{"a plain event that nobody published", durable, ofPlain, "sub s/1\npublish a class=tick\nok a\nevent s/1 x\n", 5, `nobody has published "x"`},
		{"other data", durable, keeper, "sub s/1\npublish a room=r1 tag=1\nok a E:1\nevent s/1 a E:1 room=r2 tag=1\ndone s\nfinal a E:1\n", 5, "not as it was published"},
		{"another id", durable, keeper, "sub s/1\npublish a\nok a E:1\nevent s/1 a E:1 as=b\ndone s\nfinal a E:1\n", 5, "not as it was published"},
		{"another channel", durable, ofRoom, "sub s/1\npublish a room=r2\nok a E:1\nevent s/1 a E:1\ndone s\nfinal a E:1\n", 5, "not for this subscriber"},
		{"not what the query asks for", durable, ofTags, "sub s/1\npublish a tag=2\nok a E:1\nevent s/1 a E:1\ndone s\nfinal a E:1\n", 5, "not for this subscriber"},

		{"two events at an offset", durable, persistent, "sub s/1\npublish a b\nevent s/1 a E:1\nbroken s/1\nsub s/2\nevent s/2 b E:1 replayed\ndone s\n", 6, "log E:1 is given to a and to b"},
		{"an event at two offsets", durable, ofRoom, "sub s/1\npublish a room=r1\nevent s/1 a E:1\nevent s/1 a E:2\ndone s\nfinal a E:2\n", 6, "a is at offset 1 and at 2"},
		{"the same event in two epochs", durableR, keeper, "sub s/1\npublish a\nok a E:1\nevent s/1 a E:1\nfault redis store crash\nheal redis\nbroken s/1\nsub s/2\ngap s/2 F:0\nevent s/2 a F:1 replayed\ndone s\nfinal a F:1\n", 0, ""},
		{"sent again when its id was trimmed", trimmed, ofRoom, "sub s/1\npublish a room=r1\nunknown a\nevent s/1 a E:1\npublish a room=r1\nok a E:3\nevent s/1 a E:3\ndone s\nfinal a E:3\n", 0, ""},
		{"sent again when its id was not trimmed", trimmed, ofRoom, "sub s/1\npublish a room=r1\nunknown a\nevent s/1 a E:1\npublish a room=r1\nunknown a\nevent s/1 a E:2\ndone s\nfinal a E:2\n", 6, "a is at offset 1 and at 2"},
		{"two publication IDs", durable, persistent, "sub s/1\npublish a\nok a E:1\nevent s/1 a E:1 pub=5\nbroken s/1\nsub s/2\nevent s/2 a E:1 pub=6 replayed\ndone s\nfinal a E:1\n", 6, "publication IDs 5 and 6"},

		{"a receipt with another offset", durable, ofRoom, "sub s/1\npublish a room=r1\nok a E:2\nevent s/1 a E:1\ndone s\nfinal a E:1\n", 7, "a is at offset 2 and at 1"},
		{"a receipt with the offset of another event", durable, ofRoom, "sub s/1\npublish a room=r1\npublish b room=r2\nok a E:1\nok b E:1\nevent s/1 a E:1\ndone s\nfinal a E:1\n", 7, "is given to a and to b"},
		{"a receipt with another publication ID", durable, keeper, "sub s/1\npublish a\nok a pub=7\nevent s/1 a E:1 pub=8\ndone s\nfinal a E:1\n", 7, "PUBLISHED says 7 of a, EVENT says 8"},

		{"plain events", durable, ofPlain, "sub s/1\npublish a class=tick\nok a\npublish b class=tick\nok b\nevent s/1 a\nevent s/1 b\n", 0, ""},
		{"a plain event is missing", durable, ofPlain, "sub s/1\npublish a b c class=tick\nok a\nok b\nok c\nevent s/1 a\nevent s/1 c\n", 8, "b is missing before c"},
		{"a plain event is missing between connections", durable, ofPlain, "sub s/1\npublish a b c class=tick\nok a\nok b\nok c\nevent s/1 a\nbroken s/1\nsub s/2\nevent s/2 c\n", 0, ""},
		{"plain events out of order", durable, ofPlain, "sub s/1\npublish a b class=tick\nok a\nok b\nevent s/1 b\nevent s/1 a\n", 8, "a comes after b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := readScene(t, tt.promise, []subscriber{tt.sub}, tt.text)
			got, _ := check(h)
			var text strings.Builder
			rules := map[int]bool{}
			for i := range got {
				fmt.Fprintf(&text, "%s\n%s\n", &got[i], h.excerpt(&got[i]))
				rules[got[i].rule] = true
			}
			if tt.rule == 0 && len(got) > 0 {
				t.Errorf("the checker finds\n%s", &text)
			}
			if tt.rule != 0 && (!rules[tt.rule] || !strings.Contains(text.String(), tt.want)) {
				t.Errorf("the checker does not find %q against rule %d, but\n%s", tt.want, tt.rule, &text)
			}
			delete(rules, tt.rule)
			for rule := range rules {
				// What was lost by the store is missing, too.
				if !slices.Contains([]int{1, 4}, rule) {
					t.Errorf("the checker finds something else\n%s", &text)
				}
			}
		})
	}
}

// Two sessions with one subscription have all events between them.
func TestCheckerKnowsSharedSubscriptions(t *testing.T) {
	const head = "asked s/1\nsub s/1\nasked t/1\nsub t/1\npublish a b c\nok a E:1\nok b E:2\nok c E:3\n"
	const log = "final a E:1\nfinal b E:2\nfinal c E:3\n"
	for _, tt := range []struct {
		name, text string
		rule       int // 0: none
		want       string
	}{
		{"both have all", head + "event s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\nevent t/1 a E:1\nevent t/1 b E:2\nevent t/1 c E:3\ndone s\n" + log, 0, ""},
		{"one is away", head + "event t/1 a E:1\nbroken t/1\nevent s/1 a E:1\nevent s/1 b E:2\nacked s/1 E:2 upto\nasked t/2\nsub t/2\nevent t/2 c E:3 replayed\ndone t\n" + log, 0, ""},
		{"neither has it", head + "event t/1 a E:1\nbroken t/1\nevent s/1 a E:1\nacked s/1 E:1 upto\nbroken s/1\nasked t/2\nsub t/2\nevent t/2 c E:3 replayed\ndone t\n" + log, 1, "b never came, and is in the log"},
		{"a gap within a connection", head + "event t/1 a E:1\nevent t/1 c E:3\nevent s/1 a E:1\nevent s/1 b E:2\nevent s/1 c E:3\ndone s\n" + log, 1, "offsets 2 to 2 are missing before 3"},
		{"the other one had acknowledged it", head + "event s/1 a E:1\nacked s/1 E:1 upto\nasked t/2\nsub t/2\nevent t/2 a E:1 replayed\nevent t/2 b E:2\nevent t/2 c E:3\ndone t\n" + log, 3, "had been acknowledged before the subscription was asked for"},
		{"the other one acknowledged it meanwhile", head + "event s/1 a E:1\nasked t/2\nacked s/1 E:1 upto\nsub t/2\nevent t/2 a E:1 replayed\nevent t/2 b E:2\nevent t/2 c E:3\ndone t\n" + log, 0, ""},
		{"the other one had acknowledged it, and all crashed", head + "event s/1 a E:1\nacked s/1 E:1 upto\nfault gateway crash\nheal gateway\nasked t/2\nsub t/2\nevent t/2 a E:1 replayed\nevent t/2 b E:2\nevent t/2 c E:3\ndone t\n" + log, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := readScene(t, durable, []subscriber{first, second}, tt.text)
			found, _ := check(h)
			if tt.rule == 0 && len(found) > 0 || tt.rule > 0 && len(found) == 0 {
				t.Fatalf("the checker finds %v, want %q", found, tt.want)
			}
			for i := range found {
				if found[i].rule != tt.rule || !strings.Contains(found[i].text, tt.want) {
					t.Errorf("the checker finds\n%s\n%s", &found[i], h.excerpt(&found[i]))
				}
			}
		})
	}
}

// What was seen while it happened is among the violations.
func TestCheckerPassesOnWhatWasSeen(t *testing.T) {
	r := newRecorder(1, durable)
	r.wrong(8, "nemesis", "/readyz stays %s", "green")
	got, _ := check(r.history())
	if len(got) != 1 || got[0].rule != 8 || !strings.Contains(got[0].String(), "/readyz stays green") {
		t.Errorf("the checker finds %v", got)
	}
}

// A history that was kept can be read again.
func TestHistoryIsKept(t *testing.T) {
	h := readScene(t, trimmedR, []subscriber{keeper, ofTags}, "sub s/1\npublish a room=r1\nok a E:1 pub=7\nevent s/1 a E:1 replayed\nfault redis loses store crash\n")
	name := filepath.Join(t.TempDir(), "history.jsonl")
	if err := h.write(name); err != nil {
		t.Fatal(err)
	}
	again, err := readHistory(name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h, again) {
		t.Errorf("it was\n%+v\nand is read as\n%+v", h, again)
	}
}

// A history of an earlier run is checked again, if TORTURE_CHECK names its file.
func TestCheckAgain(t *testing.T) {
	name := os.Getenv("TORTURE_CHECK")
	if name == "" {
		t.Skip("TORTURE_CHECK names no history")
	}
	h, err := readHistory(name)
	if err != nil {
		t.Fatal(err)
	}
	found, lost := check(h)
	t.Logf("%s, TORTURE_SEED=%d: %d entries, %d lost by the store, %d violations", h.Promise.Name, h.Seed, len(h.entries), lost, len(found))
	for i := range found {
		t.Errorf("%s\n%s", &found[i], h.excerpt(&found[i]))
	}
}
