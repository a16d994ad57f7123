package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/events"
)

// A Follower is told what other nodes do. Its methods are called one at a time,
// in the order of the feed, by a goroutine of the store's; they must return
// soon, as the store listens to nobody meanwhile, and must not call
// [Store.Follow] or [Store.Close].
type Follower interface {
	// Join says that another node has come. Before it appends anything, this
	// node has been told, unless it was away.
	Join(node string)

	// Leave says that a node is gone: at once if it said so, within 5 s if it
	// died or could not reach Redis. It may come again, by a Join.
	Leave(node string)

	// Gap says that something may have been missed: messages, events. Joins
	// and leaves are made good after it. Other nodes may have taken this one
	// for gone, and what it sent may not have reached them. It is the first
	// of all calls.
	Gap()

	// Message hands over what another node gave to [Store.Send]. The payload
	// belongs to the follower.
	Message(node, kind string, payload []byte)

	// Configured says that a node has come with another configuration, or that it
	// is known of another node which one it has: a second later at most.
	Configured(c Configured)

	// Appended hands over records that another node appended, in the order of
	// their offsets, and where they are. Large ones have no Data; the log has
	// it. All belongs to the follower.
	Appended(node string, records []events.Record, at []events.Appended)
}

// A tempo says how long things take between nodes.
type tempo struct {
	block  time.Duration // how long Redis waits for something in the feed
	answer time.Duration // within which it must answer
	beat   time.Duration // between two renewals of the lease
	still  time.Duration // after so long without an answer, other nodes may have come
	wait   time.Duration // for other nodes to say that they know of this one; longer than still
}

var defaultTempo = tempo{
	block:  300 * time.Millisecond,
	answer: 900 * time.Millisecond,
	beat:   time.Second,
	still:  2 * time.Second,
	wait:   2500 * time.Millisecond,
}

// A census is what Redis says of the nodes at one moment.
type census struct {
	process string            // of Redis, or empty
	last    uint64            // number of the last entry of the feed
	others  map[string]uint64 // nodes but this one, and up to where they read the feed

	epoch    uint64 // of the configuration; 0: there is none
	digest   string
	gateways []Gateway // of all nodes of which it is known, by name
}

func (s *Store) parseCensus(reply any) (c census, err error) {
	w, ok := words(reply)
	if !ok || len(w) == 0 {
		return c, fmt.Errorf("%w: a script answers with %T", errDamaged, reply)
	}
	if w[0] != "ok" {
		if err := s.refused(reply); err != nil {
			return c, err
		}
	}
	if len(w) < 5 || len(w)%3 != 2 {
		return c, fmt.Errorf("%w: a script answers with %d words", errDamaged, len(w))
	}
	c.process, c.others = w[1], make(map[string]uint64)
	if c.last, err = strconv.ParseUint(w[2], 10, 64); err != nil {
		return c, fmt.Errorf("%w: a script answers with %.40q for the end of the feed", errDamaged, w[2])
	}
	c.epoch, c.digest = parseEpoch(w[3]), w[4]
	for i := 5; i < len(w); i += 3 {
		n, err := strconv.ParseUint(w[i+1], 10, 64)
		if err != nil {
			return c, fmt.Errorf("%w: a script answers with %.40q for a place in the feed", errDamaged, w[i+1])
		}
		if w[i] != s.node {
			c.others[w[i]] = n
		}
		if g, ok := parseGateway(w[i], w[i+2]); ok {
			c.gateways = append(c.gateways, g)
		}
	}
	slices.SortFunc(c.gateways, byName)
	return c, nil
}

// quiteLong is when who starts a gateway begins to wonder.
const quiteLong = 250 * time.Millisecond

// introduce waits until the nodes that were there when this one joined know of
// it, so that none believes itself alone when this one appends. Those that do
// not say so in time have no right to believe it any more.
func (s *Store) introduce(ctx context.Context, joined census) error {
	began, said := time.Now(), false
	end := began.Add(s.tempo.wait)
	at := joined.last
	for waiting := maps.Clone(joined.others); len(waiting) > 0 && time.Now().Before(end); {
		now, err := s.beat(ctx, s.client, 0, false, "")
		if err != nil && !passing(err) {
			return s.explain("open the store", err)
		}
		for id := range waiting {
			if seen, there := now.others[id]; err == nil && (!there || seen >= at) {
				delete(waiting, id)
			}
		}
		if len(waiting) == 0 {
			break
		}
		if !said && time.Since(began) > quiteLong {
			names := make([]string, 0, len(waiting))
			for id := range waiting {
				names = append(names, cmp.Or(joined.nameOf(id), id))
			}
			slices.Sort(names)
			s.log.Info("waiting for other gateways, which were killed or do not hear Redis", "gateways", names, "timeout", s.tempo.wait)
			said = true
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// leave says that this node is gone, if Redis lets it.
func (s *Store) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), min(s.tempo.answer, s.config.attempt()))
	defer cancel()
	_, _ = s.run(ctx, scriptLeave, s.keys.ofNodes(), s.node) // without it, its lease ends
}

// Follow has a follower told what other nodes do from now on, in place of
// another one; nil: nobody.
func (s *Store) Follow(f Follower) { s.ear.follow(f) }

// Node returns the id of this node, which tells it from all others that there
// ever were.
func (s *Store) Node() string { return s.node }

// Name returns the name of this gateway, for people.
func (s *Store) Name() string { return s.name }

// Heard returns nil if Redis answers, and otherwise why it is not heard. It is
// known within a second, and does not wait.
func (s *Store) Heard() error { return s.ear.trouble() }

// errSilent says that nobody has answered for some time.
var errSilent = errors.New("nothing is heard from it")
