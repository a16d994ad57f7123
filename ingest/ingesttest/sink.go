// Package ingesttest has a sink and an authenticator in memory, for tests of
// wire formats and of programs that post events. It starts no goroutine, and
// everything in it is safe for concurrent use.
package ingesttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

// A Sink keeps the events that are posted to it. The zero value takes every
// event of every class and keeps no log.
type Sink struct {
	// Check, if not nil, is asked before an event is taken. Its error goes
	// back, with the position of the event if it came in a batch. It must not
	// change while the sink is in use; neither must the fields below.
	Check func(key ingest.Key, e *ingest.Event) error

	// Epoch, if not empty, is that of a log in which every event has an offset.
	Epoch string

	// ClassList is what Classes returns.
	ClassList []ingest.ClassInfo

	mu     sync.Mutex // guards the following
	events []Posted
	drawn  int
}

// A Posted is an event that a [Sink] took, and whose key it came with.
type Posted struct {
	Key   ingest.Key
	Event ingest.Event
}

// Publish takes one event. An id that was taken before, in any class, makes a
// duplicate.
func (s *Sink) Publish(ctx context.Context, key ingest.Key, e *ingest.Event) (ingest.Receipt, error) {
	receipts, err := s.PublishMany(ctx, key, []*ingest.Event{e})
	if err != nil {
		return ingest.Receipt{}, err
	}
	return receipts[0], nil
}

// PublishMany takes all events or, if Check has something against one, none.
func (s *Sink) PublishMany(_ context.Context, key ingest.Key, events []*ingest.Event) ([]ingest.Receipt, error) {
	if s.Check != nil {
		for i, e := range events {
			if err := s.Check(key, e); err != nil {
				at := *ingest.AsError(err)
				at.Index = i
				return nil, &at
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	receipts := make([]ingest.Receipt, 0, len(events))
	for _, e := range events {
		receipts = append(receipts, s.takeLocked(key, e))
	}
	return receipts, nil
}

func (s *Sink) takeLocked(key ingest.Key, e *ingest.Event) ingest.Receipt {
	at := slices.IndexFunc(s.events, func(p Posted) bool { return p.Event.ID == e.ID })
	r := ingest.Receipt{ID: e.ID, Epoch: s.Epoch, Duplicate: e.ID != "" && at >= 0}
	if !r.Duplicate {
		if e.ID == "" {
			s.drawn++
			e.ID = fmt.Sprintf("drawn-%d", s.drawn)
		}
		r.ID, at = e.ID, len(s.events)
		s.events = append(s.events, Posted{Key: key, Event: *e})
	}
	if s.Epoch != "" {
		r.Offset = uint64(at)
	}
	return r
}

// Classes returns ClassList.
func (s *Sink) Classes(context.Context, ingest.Key) ([]ingest.ClassInfo, error) {
	return s.ClassList, nil
}

// Events returns the events taken so far, in order.
func (s *Sink) Events() []Posted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// A TokenSink is a [Sink] that also gives tokens, which say what they were
// asked for: "user role,role ttl". It has a device for every user.
type TokenSink struct{ Sink }

// Token returns "user role,role ttl".
func (*TokenSink) Token(_ context.Context, _ ingest.Key, user string, roles []string, ttl time.Duration) (string, time.Time, error) {
	return fmt.Sprintf("%s %s %v", user, strings.Join(roles, ","), ttl), time.Now().Add(ttl), nil
}

// Devices returns one device, of a client called like the user.
func (*TokenSink) Devices(_ context.Context, _ ingest.Key, user string) ([]ingest.Device, error) {
	return []ingest.Device{{Client: user, Made: "2026-01-31T12:00:00Z", Sessions: 2}}, nil
}

// Revoke returns how many bytes the names of the user and the client have.
func (*TokenSink) Revoke(_ context.Context, _ ingest.Key, user, client string) (int, error) {
	return len(user) + len(client), nil
}

// Keys recognises ingest keys: names by secret. The name under the empty secret
// is that of requests that have none.
type Keys map[string]string

// Key returns the key with the secret.
func (k Keys) Key(_ context.Context, secret string) (ingest.Key, error) {
	name, ok := k[secret]
	if !ok {
		return ingest.Key{}, &ingest.Error{Kind: ingest.NotAuthorized, Index: -1}
	}
	return ingest.Key{Name: name}, nil
}
