package events

import (
	"context"
	"errors"
	"slices"
	"time"
)

// moveTo moves the position on to a place that the client has reached. A quiet
// move, which is worth little, is written rarely. What a session got by another
// query moves nothing: it was not sent all that is wanted now.
func (k *Keeper) moveTo(d *Held, to Position, quiet bool) {
	s := d.kept
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.removed || to.Epoch == "" || s.where != d.def.Where:
		return
	case to.Epoch != s.at.Epoch:
		if k.hub.Mark(s.class).Epoch != to.Epoch {
			return // an answer from before the log was made anew
		}
		s.at = progress{Position: to}
	case !s.at.reach(to.Offset):
		return
	}
	if quiet {
		s.quiet = true // touch notes it
	} else {
		k.noteLocked(s)
	}
}

// noteLocked has the subscription written. Its mu is held.
func (k *Keeper) noteLocked(s *kept) {
	s.changes++
	if s.queued || s.removed {
		return
	}
	s.queued = true
	k.queue(s)
}

// queue adds to what is to be written, which has each at most once.
func (k *Keeper) queue(all ...*kept) {
	k.due.Lock()
	k.due.moves = append(k.due.moves, all...)
	k.due.Unlock()
	select {
	case k.writing <- struct{}{}:
	default:
	}
}

// write writes what has moved, until Close.
func (k *Keeper) write() {
	pause := writeEvery
	for {
		select {
		case <-k.writing:
		case <-k.ctx.Done():
			return
		}
		select {
		case <-time.After(pause):
		case <-k.ctx.Done():
			return
		}
		left, err := k.flush(k.ctx)
		if err == nil || k.ctx.Err() != nil {
			pause = writeEvery
			continue
		}
		if pause == writeEvery { // once for each failure, however long that lasts
			k.log.Warn("positions of persistent subscriptions cannot be written", "count", left, "err", err)
		}
		pause = min(2*pause, writeRetry)
	}
}

// flush writes all that has moved. With an error it returns how many are left,
// which wait for the next time.
func (k *Keeper) flush(ctx context.Context) (left int, err error) {
	k.due.Lock()
	all := k.due.moves
	k.due.moves = nil
	k.due.Unlock()
	all = slices.DeleteFunc(all, (*kept).gone) // or they would pile up while the store takes nothing
	for len(all) > 0 {
		chunk := all[:min(len(all), writeChunk)]
		if err := k.flushChunk(ctx, chunk); err != nil {
			k.stats.failed.Add(1)
			k.queue(all...)
			return len(all), err
		}
		all = all[len(chunk):]
	}
	return 0, nil
}

// gone reports whether there is nothing to be written any more, and notes that it
// is not to be.
func (s *kept) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed {
		s.queued = false
	}
	return s.removed
}

// A written is a subscription as it was when it was written.
type written struct {
	*kept
	changes uint64
	epoch   string // of the position that was written
	stored  string // of the one that is stored now
	move    Move   // without an owner: none
	expires time.Time
}

// flushChunk writes a few.
func (k *Keeper) flushChunk(ctx context.Context, chunk []*kept) error {
	now := time.Now()
	attached := make([]bool, len(chunk))
	k.mu.Lock()
	for i, s := range chunk {
		attached[i] = s.attached > 0
	}
	k.mu.Unlock()
	moves := make([]Move, 0, len(chunk))
	as := make([]written, len(chunk))
	for i, s := range chunk {
		s.mu.Lock()
		if attached[i] {
			s.seen = milli(now)
		}
		as[i] = written{kept: s, changes: s.changes, epoch: s.at.Epoch, stored: s.at.Epoch, expires: milli(s.seen.Add(s.life))}
		if !s.removed {
			at := s.at.clone()
			as[i].move = Move{
				Owner: s.key.owner, Name: s.key.name, Was: s.was, Position: at.Position, Acked: at.acked,
				Seen: s.seen, Expires: as[i].expires,
			}
			moves = append(moves, as[i].move)
		}
		s.mu.Unlock()
	}
	if len(moves) > 0 {
		if err := k.store.MovePersistents(ctx, moves); err != nil {
			return err
		}
		k.stats.written.Add(uint64(len(moves)))
	}
	for i := range as {
		if v := &as[i].move; v.Owner != "" && v.Was != v.Position.Epoch {
			if err := k.confirm(ctx, &as[i]); err != nil {
				return err
			}
		}
	}
	k.wrote(as, now)
	return nil
}

// confirm finds out whether a move from one epoch to another has taken. It has
// not if what is stored is of yet another one: a store that has lost its end has
// a position of an earlier epoch than that which it was told last. The move is
// made again from there, unless the log is not that of the move any more: then
// somebody else may know a newer one.
func (k *Keeper) confirm(ctx context.Context, w *written) error {
	p, err := k.store.Persistent(ctx, w.key.owner, w.key.name)
	if errors.Is(err, ErrNotPersistent) {
		return nil
	}
	if err != nil || p.Position.Epoch == w.epoch {
		return err
	}
	b, err := k.hub.store.Bounds(ctx, w.class)
	if err != nil {
		return err
	}
	if b.Epoch != w.epoch {
		w.stored = p.Position.Epoch
		return nil
	}
	w.move.Was = p.Position.Epoch
	return k.store.MovePersistents(ctx, []Move{w.move})
}

// wrote notes what is stored now. It queues those that have changed since again,
// and forgets those that nobody needs in memory any more.
func (k *Keeper) wrote(as []written, now time.Time) {
	var again []*kept
	k.mu.Lock()
	for i := range as {
		w := &as[i]
		w.mu.Lock()
		w.kept.was, w.wrote, w.quiet, w.kept.expires = w.stored, now, false, w.expires
		if w.queued = w.kept.changes != w.changes && !w.removed; w.queued {
			again = append(again, w.kept)
		}
		done := w.attached == 0 && !w.queued
		w.mu.Unlock()
		if done {
			k.forgetLocked(w.kept)
		}
	}
	k.mu.Unlock()
	if len(again) > 0 {
		k.queue(again...)
	}
}

// touch has those written that sessions have and that nobody else has written:
// their expiry, as it slides, and positions that have moved though nothing was
// sent.
func (k *Keeper) touch(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.kept {
		if s.attached == 0 {
			continue
		}
		s.mu.Lock()
		if s.expires.Sub(now) < s.life-s.life/8 || s.quiet && now.Sub(s.wrote) >= writeQuiet {
			k.noteLocked(s)
		}
		s.mu.Unlock()
	}
}
