package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events"
)

// callsInRound is how many calls go in one round trip. The script remembers the
// answers to twice as many.
const callsInRound = 8

// A request is one call of Append.
type request struct {
	records []events.Record
	bytes   int
	done    func(results []events.Appended, err error)
}

// Size is how many records and bytes a request counts as.
func (r *request) Size() (records, bytes int) { return max(1, len(r.records)), r.bytes }

// Patient reports that no request waits for others to share its round trip.
func (r *request) Patient() bool { return false }

// Overtakes reports that one could, if there were any.
func (r *request) Overtakes() bool { return true }

// Append queues the records; see [events.Appender].
func (s *Store) Append(records []events.Record, done func(results []events.Appended, err error)) {
	r := &request{records: records, done: done}
	for i := range records {
		r.bytes += len(records[i].Data) + len(records[i].ID) + len(records[i].Channel) + 64
	}
	if !s.queue.Put(r) {
		done(nil, fmt.Errorf("%w: Redis at %s", events.ErrClosed, s.place))
	}
}

// commit is the committer. It ends when the queue is closed and empty.
func (s *Store) commit() {
	var batch []*request
	for {
		clear(batch)
		batch, _ = s.queue.Take(batch[:0], callsInRound*s.config.BatchRecords, callsInRound*s.config.BatchBytes)
		if len(batch) == 0 {
			return
		}
		var todo []*call
		for _, c := range calls(batch, s.config.BatchRecords, s.config.BatchBytes) {
			todo = append(todo, c)
			if len(todo) == callsInRound {
				s.carryOut(todo)
				todo = nil
			}
		}
		s.carryOut(todo)
	}
}

// carryOut carries out calls in order, and tells everybody. If Redis does not
// answer, it tells those who wait behind them too, rather than to have each of
// them wait as long.
func (s *Store) carryOut(todo []*call) {
	if len(todo) == 0 {
		return
	}
	if len(todo) == 1 && todo[0].records() == 0 {
		s.finish(todo[0], nil) // there is nothing to do but to keep its place
		return
	}
	failures := s.failures.Load()
	left, err := s.round(todo)
	if err == nil && failures == s.failures.Load() { // none was refused, either
		if s.failing {
			s.log.Info("Redis takes events again", "redis", s.place.String())
		}
		s.failing = false
	}
	if err == nil {
		return
	}
	s.claiming = true // whatever of it is still on its way must not be carried out later
	err = s.explain("append events", err)
	s.failures.Add(1)
	if !s.failing { // once, not for every publisher that tries
		s.log.Error("cannot append events", "err", err)
	}
	s.failing = true
	for _, c := range left {
		s.finish(c, err)
	}
	if errors.Is(err, events.ErrUnavailable) {
		if rest := s.queue.Rest(); len(rest) > 0 {
			s.finish(&call{requests: rest}, err)
		}
	}
}

// round sends calls until all are carried out. With an error it returns those
// that may not be. Calls that Redis refuses for themselves do not hold up
// others, and are told.
func (s *Store) round(todo []*call) (left []*call, err error) {
	end := time.Now().Add(s.config.Timeout)
	if s.failing {
		end = time.Now() // one attempt shows whether Redis is back
	}
	oneByOne, broken, away := false, false, false
	pause, idle := firstPause, 0
	for len(todo) > 0 {
		before := len(todo)
		if s.claiming {
			if err = s.claimAgain(away); err == nil {
				away = false
				oneByOne = true // the first one finds out what became of each log
				for _, c := range todo {
					c.seq = 0
				}
			}
		}
		if !s.claiming {
			some := todo
			if oneByOne {
				some = todo[:1]
			}
			var n int
			n, err = s.send(some)
			todo = todo[n:]
			if away = errors.Is(err, errAway); away {
				s.claiming = true
				if !broken {
					err = nil // nothing of it can have been carried out before
				}
			}
		}
		switch {
		case err == nil && len(todo) < before:
			pause, idle = firstPause, 0
			continue
		case err == nil && idle < 3: // the script was loaded, or the store is to be claimed
			idle++
			continue
		case err == nil:
			return todo, errStale
		case !passing(err):
			return todo, err
		default:
			broken = true
		}
		if time.Now().Add(pause).After(end) {
			return todo, err
		}
		s.retries.Add(1)
		time.Sleep(pause)
		pause = min(2*pause, lastPause)
	}
	s.rounds.Add(1)
	s.claiming = s.claiming || broken // Redis may be another process now, which is to be noted
	return nil, nil
}

// claimAgain claims the store. If this node was away, it waits until the others
// know that it is back, as it did when it was opened.
func (s *Store) claimAgain(away bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.attempt())
	defer cancel()
	now, err := s.claim(ctx)
	if err != nil || len(now.others) == 0 {
		return err
	}
	s.alone.Store(false) // the feed will say so, too
	if !away {
		return nil
	}
	ctx, cancel = context.WithTimeout(context.Background(), s.tempo.wait+s.config.attempt())
	defer cancel()
	if err := s.introduce(ctx, now); err != nil {
		s.claiming = true
		return err
	}
	return nil
}

// send sends calls in one round trip, and returns how many of them are done
// with: carried out, or refused for good. The others are to be sent again.
func (s *Store) send(some []*call) (done int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.attempt())
	defer cancel()
	after := s.seq
	pipe := s.client.Pipeline()
	cmds := make([]*goredis.Cmd, len(some))
	for i, c := range some {
		if c.seq == 0 {
			s.next++
			c.seq, c.after = s.next, after
		}
		after = c.seq
		keys, args := c.arguments(s)
		cmds[i] = pipe.EvalSha(ctx, scriptAppend.Hash(), keys, args...)
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	for i, c := range some {
		reply, err := cmds[i].Result()
		if isNoScript(err) {
			return done, scriptAppend.Load(ctx, s.client).Err()
		}
		if a, ok := answerOf(err); ok && a.full {
			s.refuse(c, s.explain("append events", err))
			renumber(some[i+1:])
			done++
			continue
		}
		if err != nil {
			return done, err
		}
		w, ok := words(reply)
		switch {
		case !ok || len(w) < 2:
			return done, fmt.Errorf("%w: a script answers with %T", errDamaged, reply)
		case w[0] == "step" && w[1] == fmt.Sprint(s.seq):
			renumber(some[i:]) // the one before it was refused
			return done, nil
		case w[0] == "step":
			s.claiming = true // Redis lost data: what it had of it is older
			return done, nil
		case w[0] == "gone":
			// The others took this node for gone, and what Redis knew of its
			// calls went with it: whether they were carried out, too.
			return done, errAway
		case w[0] != "ok":
			return done, s.refused(reply)
		}
		if err := c.parse(w[1]); err != nil {
			return done, err
		}
		s.seq = c.seq
		s.finish(c, nil)
		done++
	}
	return done, nil
}

// refuse tells those of a call that there is no room.
func (s *Store) refuse(c *call, err error) {
	s.failures.Add(1)
	if !s.failing {
		s.log.Error("cannot append events", "err", err)
	}
	s.failing = true
	s.finish(c, err)
}

// renumber has calls, which were not carried out, numbered anew when they are
// sent again.
func renumber(cs []*call) {
	for _, c := range cs {
		c.seq = 0
	}
}

// finish tells those of a call what became of it.
func (s *Store) finish(c *call, err error) {
	if err == nil {
		s.note(c)
	}
	for i, r := range c.requests {
		switch {
		case err != nil:
			r.done(nil, err)
		case c.outcomes == nil:
			r.done(nil, nil)
		case c.outcomes[i].conflict != nil:
			r.done(nil, c.outcomes[i].conflict)
		default:
			r.done(c.outcomes[i].results, nil)
		}
	}
}

// note remembers how far the logs of a call go, and counts its records, before
// anybody is told.
func (s *Store) note(c *call) {
	told := make([]position, len(c.classes))
	appended, of := uint64(0), c.of
	for i := range c.outcomes {
		for j, a := range c.outcomes[i].results {
			to := &told[of[j]]
			*to = position{epoch: a.Epoch, last: max(to.last, a.Offset)}
			if !a.Duplicate {
				appended++
			}
		}
		of = of[len(c.requests[i].records):]
	}
	for i, now := range told {
		if now.epoch != "" { // otherwise every request of the class was in conflict
			s.learn(c.classes[i], c.asked[i], now)
		}
	}
	s.records.Add(appended)
}
