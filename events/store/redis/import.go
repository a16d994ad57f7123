package redis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
)

// importing is the format of a store that is being imported. No gateway knows
// it, so that none opens a part of a store.
const importing = "importing"

// An Import is a store in the making. From Begin to Commit no gateway can use
// it. Its methods may be called concurrently, but for Begin, Commit and Abort.
type Import struct {
	s     *Store
	old   *View
	run   string // the process of Redis when it began
	begun bool
}

// ErrInUse says that gateways use a store.
var ErrInUse = errors.New("gateways use the store")

// OpenImport connects to Redis and looks at what is there. [Import.Commit] or
// [Import.Abort] ends the import. The error wraps [ErrInUse] if a gateway uses the
// store, or was killed some seconds ago.
func OpenImport(ctx context.Context, config Config) (*Import, error) {
	s, err := bare(config)
	if err != nil {
		return nil, err
	}
	m := &Import{s: s}
	s.waiting = config.Waiting
	err = s.checkServer(ctx)
	if err == nil {
		m.old, err = s.look(ctx)
	}
	s.waiting = nil
	if err == nil {
		switch f := m.old.head["format"]; f {
		case format, layout: // they differ only in what is about nodes
		case "", importing:
			m.old = nil
		default:
			err = s.explain("import into the store", s.refused([]any{"format", f}))
		}
	}
	if err == nil {
		err = m.unused(ctx)
	}
	if err != nil {
		_ = s.client.Close() // it has no connection that matters
		return nil, err
	}
	return m, nil
}

// unused returns an error if there are nodes whose lease has not ended.
func (m *Import) unused(ctx context.Context) error {
	return m.s.try(ctx, "import into the store", func(ctx context.Context) error {
		now := time.Now()
		if t, err := m.s.client.Time(ctx).Result(); err == nil { // not every user may ask
			now = t
		}
		n, err := m.s.client.ZCount(ctx, m.s.keys.nodes, fmt.Sprint(now.UnixMilli()), "+inf").Result()
		if err == nil && n > 0 {
			err = fmt.Errorf("%w: %d; one that was killed is forgotten after some 4 s", ErrInUse, n)
		}
		return err
	})
}

// Old returns what is there, or nil: nothing, or what an import left that did
// not come to its end. It belongs to the import, and must not be used after
// Begin.
func (m *Import) Old() *View { return m.old }

// Begin removes what is there. No gateway can open the store from then on.
func (m *Import) Begin(ctx context.Context) error {
	const op = "begin the import"
	err := m.s.try(ctx, op, func(ctx context.Context) error {
		info, err := m.s.info(ctx)
		if err != nil {
			return err
		}
		m.run = info["master_replid"]
		return m.call(ctx, scriptImportBegin, []string{m.s.keys.writer}, m.s.node, newEpoch(), importing)
	})
	if err != nil {
		return err
	}
	m.begun = true
	return m.clear(ctx)
}

// clear removes all keys of the store but that of the writer.
func (m *Import) clear(ctx context.Context) error {
	return m.s.eachKey(ctx, m.s.keys.base+"*", func(keys []string) error {
		if len(keys) == 0 {
			return nil
		}
		return m.s.try(ctx, "remove the old store", func(ctx context.Context) error {
			return m.s.client.Unlink(ctx, keys...).Err()
		})
	})
}

// call runs a script that answers whether it did what it should.
func (m *Import) call(ctx context.Context, script *goredis.Script, keys []string, args ...any) error {
	reply, err := m.s.run(ctx, script, keys, args...)
	if err != nil {
		return err
	}
	return m.s.refused(reply)
}

// Log makes a log that has no record yet: the first one will get the offset
// b.First. If the log is there, it begins anew.
func (m *Import) Log(ctx context.Context, class string, b events.Bounds) error {
	return m.s.try(ctx, "import the log "+class, func(ctx context.Context) error {
		return m.call(ctx, scriptImportLog, m.s.keys.of(class), m.s.node, b.Epoch, b.First, b.Base)
	})
}

// Records puts records of one class at the end of its log, with the offsets that
// they have, which must follow those of the log.
func (m *Import) Records(ctx context.Context, class string, records []events.Record) error {
	if len(records) == 0 {
		return nil
	}
	args := make([]any, 0, 2+4*len(records))
	args = append(args, m.s.node, records[0].Offset)
	for i := range records {
		r := &records[i]
		if want := records[0].Offset + uint64(i); r.Offset != want {
			return fmt.Errorf("the log %s: expected the offset %d, found %d", class, want, r.Offset)
		}
		id := "m" + r.ID
		if r.IDGiven {
			id = "g" + r.ID
		}
		args = append(args, id, r.Channel, milliseconds(r.Time), r.Data)
	}
	return m.s.try(ctx, "import the log "+class, func(ctx context.Context) error {
		return m.call(ctx, scriptImportRecords, m.s.keys.of(class), args...)
	})
}

// PutToken inserts a token.
func (m *Import) PutToken(ctx context.Context, t *auth.Token) error {
	return m.s.PutToken(ctx, t)
}

// PutPersistent inserts a persistent subscription, whether or not it has
// expired.
func (m *Import) PutPersistent(ctx context.Context, p *events.Persistent) error {
	return m.s.PutPersistent(ctx, p, math.MaxInt32)
}

// Commit lets gateways use the store.
func (m *Import) Commit(ctx context.Context) error {
	const op = "end the import"
	err := m.s.try(ctx, op, func(ctx context.Context) error {
		info, err := m.s.info(ctx)
		if err != nil {
			return err
		}
		if info["master_replid"] != m.run {
			return fmt.Errorf("%w: it was started again, or another one took its place, while the import ran; import again", errDamaged)
		}
		return m.call(ctx, scriptImportEnd, []string{m.s.keys.writer}, m.s.node, m.run)
	})
	if err != nil {
		return err
	}
	m.begun = false
	return m.close()
}

// Abort removes what was put. What was there before Begin is gone. It does
// nothing after a Commit that succeeded.
func (m *Import) Abort(ctx context.Context) error {
	var err error
	if m.begun {
		m.begun = false
		if err = m.clear(ctx); err == nil {
			err = m.s.try(ctx, "remove what was imported", func(ctx context.Context) error {
				return m.s.client.Del(ctx, m.s.keys.writer).Err()
			})
		}
	}
	return errors.Join(err, m.close())
}

func (m *Import) close() error {
	if m.s.closed.Swap(true) {
		return nil
	}
	return m.s.client.Close()
}
