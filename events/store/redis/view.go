package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// ErrNoStore says that Redis has no store under the prefix.
var ErrNoStore = errors.New("there is no store under the prefix")

// A View is a store that is only read, by a command and not by a gateway.
// Gateways may write it meanwhile. It is for one goroutine at a time.
type View struct {
	s      *Store
	server map[string]string // what INFO says; nil: the user may not ask
	head   map[string]string // of the store: the hash at keys.writer
	count  int64             // how many records fit in a page, as far as was seen
}

// bare returns a store that is no node and has no goroutines: what it would
// append is refused, as if it were closed.
func bare(config Config) (*Store, error) {
	var first error
	config.Validate(func(path string, err error) {
		if first == nil {
			first = fmt.Errorf("%s: %w", path, err)
		}
	})
	if first != nil {
		return nil, first
	}
	p, err := parseURL(config.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: connect(p, config), room: make(chan struct{}, connections-reserved), place: p, config: config, log: slog.New(slog.DiscardHandler),
		keys: newKeys(config.Prefix), node: rand.Text(), known: make(map[string]position),
	}
	s.queue = storekit.NewQueue[*request](config.QueueRecords, config.QueueBytes, 0)
	s.queue.Close()
	return s, nil
}

// OpenView connects to Redis. The error wraps [ErrNoStore] if there is none.
func OpenView(ctx context.Context, config Config) (*View, error) {
	s, err := bare(config)
	if err != nil {
		return nil, err
	}
	s.waiting = config.Waiting
	v, err := s.look(ctx)
	s.waiting = nil
	if err == nil {
		switch v.head["format"] {
		case format, layout: // they differ only in what is about nodes
		case "":
			err = fmt.Errorf("the store in Redis at %s: %w %s", s.place, ErrNoStore, config.Prefix)
		default:
			err = s.explain("read the store", s.refused([]any{"format", v.head["format"]}))
		}
	}
	if err != nil {
		_ = s.client.Close() // it has no connection that matters
		return nil, err
	}
	return v, nil
}

// look asks Redis about itself and the store.
func (s *Store) look(ctx context.Context) (*View, error) {
	v := &View{s: s, count: 64}
	err := s.try(ctx, "read the store", func(ctx context.Context) (err error) {
		if v.server, err = s.info(ctx); err != nil {
			return err
		}
		v.head, err = s.client.HGetAll(ctx, s.keys.writer).Result()
		return err
	})
	if err == nil && v.server != nil {
		// INFO does not have it, and not every user may ask.
		if set, err := s.client.ConfigGet(ctx, "appendfsync").Result(); err == nil {
			v.server["appendfsync"] = set["appendfsync"]
		}
	}
	return v, err
}

// info returns what INFO says, or nothing if the user may not ask.
func (s *Store) info(ctx context.Context) (map[string]string, error) {
	text, err := s.client.Info(ctx).Result()
	if e, ok := errors.AsType[goredis.Error](err); ok && goredis.IsPermissionError(e) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	return fields, nil
}

// Close closes the connections.
func (v *View) Close() error {
	v.s.closed.Store(true)
	return v.s.client.Close()
}

// Server returns what INFO says, and the setting appendfsync; what the user may
// not ask for is not there. It must not be changed.
func (v *View) Server() map[string]string { return v.server }

// EachLog calls f for every log in the order of their names, until f returns an
// error, which it returns. stale says that the next gateway would begin a new
// epoch in the log, as Redis may have lost the end of it.
func (v *View) EachLog(ctx context.Context, f func(class string, b events.Bounds, stale bool) error) error {
	metas, err := v.scan(ctx, "meta:")
	if err != nil {
		return err
	}
	for _, class := range metas {
		b, stale, err := v.log(ctx, class)
		if err != nil {
			return err
		}
		if b.Epoch == "" {
			continue // it went meanwhile
		}
		if err := f(class, b, stale); err != nil {
			return err
		}
	}
	return nil
}

// Bounds returns what the log of a class holds; the epoch is empty if there is
// none.
func (v *View) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	b, _, err := v.log(ctx, class)
	return b, err
}

func (v *View) log(ctx context.Context, class string) (b events.Bounds, stale bool, err error) {
	op := "look at the log " + class
	err = v.s.try(ctx, op, func(ctx context.Context) error {
		m, err := v.s.client.HMGet(ctx, v.s.keys.of(class)[1], "epoch", "first", "last", "base", "generation").Result()
		if err != nil {
			return err
		}
		w, ok := words(m)
		if !ok {
			if len(m) > 0 && m[0] == nil {
				return nil
			}
			return fmt.Errorf("%w: what is known of the log has %d fields, expected 5", errDamaged, len(w))
		}
		b, err = parseBounds(w[:4])
		stale = w[4] != v.head["generation"] || v.head["run"] == "" || v.head["run"] != v.server["master_replid"]
		return err
	})
	return b, stale, err
}

// scan returns the names of the keys that begin with the base and kind, without
// both, in order.
func (v *View) scan(ctx context.Context, kind string) ([]string, error) {
	names := make(map[string]bool)
	err := v.s.eachKey(ctx, v.s.keys.base+kind+"*", func(keys []string) error {
		for _, k := range keys {
			names[strings.TrimPrefix(k, v.s.keys.base+kind)] = true
		}
		return nil
	})
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list, err
}

// eachKey calls f with the keys that match a pattern, some at once. A key may
// come twice.
func (s *Store) eachKey(ctx context.Context, pattern string, f func(keys []string) error) error {
	var cursor uint64
	for {
		var keys []string
		err := s.try(ctx, "look for keys", func(ctx context.Context) (err error) {
			var node goredis.Cmdable = s.client
			if c, ok := s.client.(*goredis.ClusterClient); ok {
				if node, err = c.MasterForKey(ctx, s.keys.writer); err != nil { // all keys are there
					return err
				}
			}
			var next uint64
			if keys, next, err = node.Scan(ctx, cursor, pattern, 1000).Result(); err == nil {
				cursor = next
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := f(keys); err != nil {
			return err
		}
		if cursor == 0 {
			return nil
		}
	}
}

// pageBytes is about how many bytes of records are read at once.
const pageBytes = 4 << 20

// Records returns some records of a log with offsets greater than after and up
// to through, from the first one on: about 4 MiB of them. They belong to the
// caller. There are none only if the log has none there.
func (v *View) Records(ctx context.Context, class string, after, through uint64) ([]events.Record, error) {
	entries, err := v.entries(ctx, class, after, through)
	if err != nil {
		return nil, err
	}
	records := make([]events.Record, len(entries))
	for i := range entries {
		if records[i], err = recordOf(class, &entries[i]); err != nil {
			return nil, v.s.explain("read the log "+class, err)
		}
	}
	return records, nil
}

func (v *View) entries(ctx context.Context, class string, after, through uint64) (entries []goredis.XMessage, err error) {
	if after >= through {
		return nil, nil
	}
	from, to := fmt.Sprintf("%d-0", clamp(after)+1), fmt.Sprintf("%d-18446744073709551615", clamp(through))
	err = v.s.try(ctx, "read the log "+class, func(ctx context.Context) (err error) {
		entries, err = v.s.client.XRangeN(ctx, v.s.keys.of(class)[2], from, to, v.count).Result()
		return err
	})
	bytes := 1
	for i := range entries {
		data, _ := entries[i].Values["d"].(string)
		bytes += len(data)
	}
	if n := len(entries); n > 0 {
		v.count = min(max(int64(n)*pageBytes/int64(bytes), 1), 2*v.count, 4096)
	}
	return entries, err
}

// recordOf returns the record that an entry of a stream is.
func recordOf(class string, e *goredis.XMessage) (r events.Record, err error) {
	at, ms, _ := strings.Cut(e.ID, "-")
	id, _ := e.Values["i"].(string)
	channel, isText := e.Values["c"].(string)
	data, hasData := e.Values["d"].(string)
	if id == "" || !isText || !hasData {
		return r, fmt.Errorf("%w: the entry %s has no id, channel or data", errDamaged, e.ID)
	}
	err = parseRecord([]any{at, ms, id, channel, data}, &r)
	r.Class = class
	return r, err
}

// Token is that of the [Store].
func (v *View) Token(ctx context.Context, hash [32]byte) (*auth.Token, error) {
	return v.s.Token(ctx, hash)
}

// EachPersistent is that of the [Store].
func (v *View) EachPersistent(ctx context.Context, afterOwner, afterName string, f func(*events.Persistent) bool) error {
	return v.s.EachPersistent(ctx, afterOwner, afterName, f)
}

// EachToken is that of the [Store].
func (v *View) EachToken(ctx context.Context, f func(t *auth.Token) bool) error {
	return v.s.EachToken(ctx, f)
}

// EachToken calls f for every token, expired or not, in the order of their
// expiry and then of their hashes, until f returns false. A token that is put
// meanwhile may be missed, or come with both expiries; the later call counts.
func (s *Store) EachToken(ctx context.Context, f func(t *auth.Token) bool) error {
	const op = "read client tokens"
	start := "-"
	for {
		var members []string
		var values []any
		err := s.try(ctx, op, func(ctx context.Context) (err error) {
			members, err = s.client.ZRangeArgs(ctx, goredis.ZRangeArgs{
				Key: s.keys.expiry, ByLex: true, Start: start, Stop: "+", Count: maxExpire,
			}).Result()
			if err != nil || len(members) == 0 {
				return err
			}
			keys := make([]string, len(members))
			for i, m := range members {
				if len(m) != memberLen {
					return fmt.Errorf("%w: the index of tokens has a member of %d bytes", errDamaged, len(m))
				}
				keys[i] = s.keys.token([32]byte([]byte(m[timeLen:])))
			}
			values, err = s.client.MGet(ctx, keys...).Result()
			return err
		})
		if err != nil {
			return err
		}
		if len(members) == 0 {
			return nil
		}
		for i, m := range members {
			value, ok := values[i].(string)
			if !ok || len(value) < memberLen || value[:memberLen] != m {
				continue // it is gone, or was renewed
			}
			t, err := parseToken([32]byte([]byte(m[timeLen:])), []byte(value))
			if err != nil {
				return s.explain(op, err)
			}
			if !f(t) {
				return nil
			}
		}
		start = "(" + members[len(members)-1]
	}
}

// LogBytes returns about how many bytes of memory a log and its indexes use.
func (v *View) LogBytes(ctx context.Context, class string) (n int64, err error) {
	err = v.s.try(ctx, "measure the log "+class, func(ctx context.Context) error {
		n = 0
		for _, key := range v.s.keys.of(class)[1:] {
			used, err := v.s.client.MemoryUsage(ctx, key).Result()
			if err != nil && !errors.Is(err, goredis.Nil) {
				return err
			}
			n += used
		}
		return nil
	})
	return n, err
}

// A Trimmer removes what is too old from a store, beside the gateways that use
// it. It may be used as a [View].
type Trimmer struct{ *View }

// Attach opens a store to trim it. The error is as for [OpenView].
func Attach(ctx context.Context, config Config) (*Trimmer, error) {
	v, err := OpenView(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Trimmer{v}, nil
}

// TrimBefore removes the records of a log before the offset first, at most 4096
// of them, and returns how many.
func (t *Trimmer) TrimBefore(ctx context.Context, class string, first uint64) (n int, err error) {
	b, err := t.Bounds(ctx, class)
	if err != nil || b.Epoch == "" || first <= b.First {
		return 0, err
	}
	return t.s.trimTo(ctx, class, b.Epoch, clamp(first))
}

// DeleteExpired is that of the [Store].
func (t *Trimmer) DeleteExpired(ctx context.Context, now time.Time) (n int, err error) {
	return t.s.DeleteExpired(ctx, now)
}

// DeleteExpiredPersistents is that of the [Store].
func (t *Trimmer) DeleteExpiredPersistents(ctx context.Context, now time.Time) (n int, err error) {
	return t.s.DeleteExpiredPersistents(ctx, now)
}
