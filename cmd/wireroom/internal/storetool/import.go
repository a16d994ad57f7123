package storetool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/archive"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/redis"
)

// A Target is a store in the making; see [embedded.Import] and [redis.Import].
type Target interface {
	Begin(ctx context.Context) error
	Log(ctx context.Context, class string, b events.Bounds) error
	Records(ctx context.Context, class string, records []events.Record) error
	PutToken(ctx context.Context, t *auth.Token) error
	PutPersistent(ctx context.Context, p *events.Persistent) error
	Commit(ctx context.Context) error
	Abort(ctx context.Context) error
}

// openTarget looks at the place of a store in the making, and at what is there
// now; old is nil if nothing is.
func openTarget(ctx context.Context, place config.Store) (t Target, old Source, err error) {
	if place.Redis.URL != "" {
		m, err := redis.OpenImport(ctx, place.Redis)
		if err != nil {
			return nil, nil, err
		}
		if v := m.Old(); v != nil {
			old = v
		}
		return m, old, nil
	}
	m, err := embedded.OpenImport(place.Path, lockWait)
	if err != nil {
		return nil, nil, err
	}
	if v := m.Old(); v != nil {
		old = v
	}
	return m, old, nil
}

// An ImportConfig says how an archive becomes a store.
type ImportConfig struct {
	Replace   bool // what is in the store
	NewEpochs bool // in each log, behind what the archive has of it

	// Own says which tokens are the gateway's own: they do not make a store
	// one that is in use.
	Own func(hash [32]byte) bool
}

// A NotEmptyError says that a store has something already.
type NotEmptyError struct {
	What string // such as "17 events, 3 tokens"
}

// Error says what the store has.
func (e *NotEmptyError) Error() string { return "the store is in use: it has " + e.What }

// Bounds on what is put at once.
const (
	batchRecords = 512
	batchBytes   = 1 << 20
	putters      = 16 // tokens and subscriptions at the same time
)

// Import makes a store of an archive. If it fails before it changed anything,
// what was there stays; with a file, it always does.
func Import(ctx context.Context, r *archive.Reader, place config.Store, c ImportConfig, p Progress) (counts archive.Counts, err error) {
	t, old, err := openTarget(ctx, place)
	if err != nil {
		return counts, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Abort(context.WithoutCancel(ctx)))
		}
	}()
	if old != nil && !c.Replace {
		what, err := contents(ctx, old, c.Own)
		if err != nil {
			return counts, err
		}
		if what != "" {
			return counts, &NotEmptyError{what}
		}
	}
	if err := t.Begin(ctx); err != nil {
		return counts, err
	}
	in := &importer{target: t, progress: p, newEpochs: c.NewEpochs}
	if err := in.all(ctx, r); err != nil {
		return counts, err
	}
	return r.Counts(), t.Commit(ctx)
}

// contents says what a store has that somebody may miss.
func contents(ctx context.Context, s Source, own func(hash [32]byte) bool) (string, error) {
	var nEvents, nTokens, nSubscriptions uint64
	logs, err := logsOf(ctx, s)
	if err != nil {
		return "", err
	}
	for _, l := range logs {
		nEvents += l.bounds.Next - 1 // also those that are gone: clients may know them
	}
	err = eachToken(ctx, s, func(t *auth.Token) error {
		if !own(t.Hash) {
			nTokens++
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	err = eachPersistent(ctx, s, func(*events.Persistent) error {
		nSubscriptions++
		return nil
	})
	if err != nil {
		return "", err
	}
	var parts []string
	for _, part := range []struct {
		n         uint64
		one, many string
	}{{nEvents, "event", "events"}, {nTokens, "token", "tokens"}, {nSubscriptions, "persistent subscription", "persistent subscriptions"}} {
		switch part.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+part.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.many))
		}
	}
	return strings.Join(parts, ", "), nil
}

// An importer puts the entries of an archive into a store.
type importer struct {
	target    Target
	progress  Progress
	newEpochs bool

	kind  string // of what came last, for the progress
	batch []events.Record
	bytes int
	work  []func(ctx context.Context) error // at most putters
	same  map[string]bool                   // what they put, as none may be put twice at the same time
}

func (in *importer) all(ctx context.Context, r *archive.Reader) error {
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return in.flush(ctx)
		}
		if err != nil {
			return err
		}
		if err := in.put(ctx, &e); err != nil {
			return err
		}
	}
}

func (in *importer) put(ctx context.Context, e *archive.Entry) error {
	switch {
	case e.Event != nil:
		in.batch = append(in.batch, *e.Event)
		in.bytes += len(e.Event.Data)
		if len(in.batch) < batchRecords && in.bytes < batchBytes {
			return nil
		}
		return in.flush(ctx)
	case e.Log != nil:
		if e.Again {
			in.batch, in.bytes = nil, 0
		}
		if err := in.flush(ctx); err != nil {
			return err
		}
		b := e.Log.Bounds
		in.part("events of "+e.Log.Class, b.Next-b.First)
		if in.newEpochs {
			b = renewed(b)
		}
		return in.target.Log(ctx, e.Log.Class, b)
	case e.Token != nil:
		in.part("tokens", 0)
		token := e.Token
		return in.queue(ctx, string(token.Hash[:]), func(ctx context.Context) error { return in.target.PutToken(ctx, token) })
	default:
		in.part("persistent subscriptions", 0)
		sub := e.Subscription
		return in.queue(ctx, sub.Owner+"\x00"+sub.Name, func(ctx context.Context) error { return in.target.PutPersistent(ctx, sub) })
	}
}

// part tells of what comes, if it is something else than before.
func (in *importer) part(kind string, total uint64) {
	if in.kind != kind {
		in.kind = kind
		in.progress.Part(kind, total)
	}
}

// queue has work done, with more of it at the same time. What has the same key
// comes one after the other: the last one counts.
func (in *importer) queue(ctx context.Context, key string, fn func(ctx context.Context) error) error {
	if len(in.work) == putters || in.same[key] {
		if err := in.flush(ctx); err != nil {
			return err
		}
	}
	if in.same == nil {
		in.same = make(map[string]bool)
	}
	in.same[key] = true
	in.work = append(in.work, fn)
	return nil
}

// flush has all done that waits.
func (in *importer) flush(ctx context.Context) error {
	if n := len(in.batch); n > 0 {
		if err := in.target.Records(ctx, in.batch[0].Class, in.batch); err != nil {
			return err
		}
		in.batch, in.bytes = in.batch[:0], 0
		in.progress.Add(n)
	}
	errs := make([]error, len(in.work))
	var owned sync.WaitGroup
	for i, fn := range in.work {
		owned.Go(func() { errs[i] = fn(ctx) })
	}
	owned.Wait()
	in.progress.Add(len(in.work))
	in.work = in.work[:0]
	clear(in.same)
	return errors.Join(errs...)
}
