package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/events"
)

const (
	placeEvery = 100 * time.Millisecond // how often a webhook's place is written, at most
	placeRetry = time.Second            // until the store is asked again that did not answer
)

// placeEnd is when the place of a webhook expires: it is the operator's, and stays.
var placeEnd = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// A hookPlace is up to where a webhook has told its endpoint of a class. It is in the
// store, as a persistent subscription that belongs to the webhook, so that another
// gateway, or this one when it is started again, goes on there.
type hookPlace struct {
	// Fixed at construction.
	store              events.PersistentStore
	owner, name, class string
	start              events.Position // of a webhook that was nowhere yet
	log                *slog.Logger

	moved chan struct{} // of capacity 1: at has changed; never closed

	mu sync.Mutex // guards the following
	at events.Position

	// Owned by begin and write, which are not run at the same time.
	wrote  events.Position
	failed bool // the last time that it was to be written
}

// newHookPlace returns the place of a webhook that begins, if it is new, where the log
// of the class is now.
func newHookPlace(one *realm, hook, topic, class string, log *slog.Logger) *hookPlace {
	mark := one.hub.Mark(class)
	return &hookPlace{
		store: one.keeps, owner: shortOwner(string(one.name) + " webhook " + hook), name: nameOf(topic, ""), class: class,
		start: events.Position(mark), log: log.With("webhook", hook), moved: make(chan struct{}, 1),
	}
}

// make has the store know of the webhook before there is anything to tell: killed the
// next moment, it begins here all the same. It waits for the store for a moment; begin
// tries again.
func (p *hookPlace) make() {
	ctx, cancel := context.WithTimeout(context.Background(), keeperPatience)
	defer cancel()
	if _, err := p.find(ctx); err != nil {
		p.log.Warn("the webhook cannot find its place in the log yet", "err", err)
	}
}

// begin returns where the webhook has to go on, and has the store know that there is
// one. It tries until the store answers; an error says that ctx was done before.
func (p *hookPlace) begin(ctx context.Context) (string, error) {
	for said := false; ; {
		at, err := p.find(ctx)
		if err == nil {
			p.mu.Lock()
			p.at = at
			p.mu.Unlock()
			p.wrote = at
			return at.Epoch + ":" + strconv.FormatUint(at.Offset, 10), nil
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if !said {
			said = true
			p.log.Warn("the webhook cannot find its place in the log, and tries to again", "err", err)
		}
		select {
		case <-time.After(placeRetry):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// find looks the place up, or makes one.
func (p *hookPlace) find(ctx context.Context) (events.Position, error) {
	was, err := p.store.Persistent(ctx, p.owner, p.name)
	switch {
	case err == nil && was.Class == p.class:
		return was.Position, nil
	case err == nil || errors.Is(err, events.ErrNotPersistent):
		return p.start, p.put(ctx, p.start)
	}
	return events.Position{}, err
}

// put writes the place whole.
func (p *hookPlace) put(ctx context.Context, at events.Position) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return p.store.PutPersistent(ctx, &events.Persistent{
		Owner: p.owner, Name: p.name, Class: p.class, Explicit: true,
		Created: now, Seen: now, Expires: placeEnd, For: events.MaxPersistentFor, Position: at,
	}, mostPlaces)
}

// mostPlaces is how many topics one webhook may have had.
const mostPlaces = 10_000

// move notes that the endpoint has been told up to a position, as events have it. It
// does not wait.
func (p *hookPlace) move(position string) {
	i := strings.LastIndexByte(position, ':')
	offset, err := strconv.ParseUint(position[i+1:], 10, 64)
	if i < 0 || err != nil {
		return // none that hookEvent makes
	}
	p.mu.Lock()
	p.at = events.Position{Epoch: position[:i], Offset: offset}
	p.mu.Unlock()
	select {
	case p.moved <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// run writes the place as it moves, until ctx is done.
func (p *hookPlace) run(ctx context.Context) {
	for {
		select {
		case <-p.moved:
		case <-ctx.Done():
			return
		}
		pause := placeEvery
		if p.write(ctx) != nil {
			pause = placeRetry
			select {
			case p.moved <- struct{}{}:
			default:
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// flush writes the place at the end, as far as the store takes it soon.
func (p *hookPlace) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), keeperPatience)
	defer cancel()
	_ = p.write(ctx) // which has said so
}

// write writes the place if it has moved.
func (p *hookPlace) write(ctx context.Context) error {
	p.mu.Lock()
	at := p.at
	p.mu.Unlock()
	if at == p.wrote {
		return nil
	}
	var err error
	if at.Epoch == p.wrote.Epoch {
		err = p.store.MovePersistents(ctx, []events.Move{{
			Owner: p.owner, Name: p.name, Was: at.Epoch, Position: at, Seen: time.Now().UTC().Truncate(time.Millisecond), Expires: placeEnd,
		}})
	} else { // a store that lost its last epoch may have lost the place, too
		err = p.put(ctx, at)
	}
	if err == nil {
		p.wrote = at
	}
	if err != nil && !p.failed && ctx.Err() == nil {
		p.log.Warn("the webhook's place in the log cannot be written; if the gateway dies, events come again", "err", err)
	}
	p.failed = err != nil
	return err
}
