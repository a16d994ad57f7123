package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router/wamp"
)

// A logs keeps the logs of one realm apart from those of others in the same
// store: the log of a class has the name "class@realm" there, and neither a
// class nor a log without a realm can have that name, as no class has an "@".
//
// One realm of each store has its logs under the plain names of the classes:
// the one that the store was made for. See [plainRealm].
type logs struct {
	store events.Store
	at    string // "@realm"
}

// realmLogs returns the part of the store that has the logs of the realm.
func realmLogs(store events.Store, realm, plain wamp.URI) events.Store {
	if realm == plain {
		return store
	}
	return &logs{store, "@" + string(realm)}
}

// realmKeeps returns the store of the realm's persistent subscriptions.
func realmKeeps(store events.PersistentStore, realm, plain wamp.URI) events.PersistentStore {
	if realm == plain {
		return realmPersistents{store, ""}
	}
	return realmPersistents{store, "@" + string(realm)}
}

// Append implements [events.Store].
func (l *logs) Append(records []events.Record, done func(results []events.Appended, err error)) {
	named := make([]events.Record, len(records)) // the caller's stay as they are
	for i, r := range records {
		named[i] = r
		named[i].Class += l.at
	}
	l.store.Append(named, func(results []events.Appended, err error) {
		if e, ok := errors.AsType[*events.ConflictError](err); ok {
			c := *e
			c.Class = strings.TrimSuffix(c.Class, l.at)
			err = &c
		}
		done(results, err)
	})
}

// Read implements [events.Store].
func (l *logs) Read(ctx context.Context, r events.Range) (events.Page, error) {
	class := r.Class
	r.Class += l.at
	page, err := l.store.Read(ctx, r)
	for i := range page.Records {
		page.Records[i].Class = class
	}
	return page, err
}

// SeekTime implements [events.Store].
func (l *logs) SeekTime(ctx context.Context, class string, through uint64, t time.Time) (uint64, error) {
	return l.store.SeekTime(ctx, class+l.at, through, t)
}

// SeekLast implements [events.Store].
func (l *logs) SeekLast(ctx context.Context, class, channel string, through uint64, n int) (uint64, error) {
	return l.store.SeekLast(ctx, class+l.at, channel, through, n)
}

// Bounds implements [events.Store].
func (l *logs) Bounds(ctx context.Context, class string) (events.Bounds, error) {
	return l.store.Bounds(ctx, class+l.at)
}

// Trim implements [events.Store].
func (l *logs) Trim(ctx context.Context, class string, keep events.Retain, now time.Time) (int, error) {
	return l.store.Trim(ctx, class+l.at, keep, now)
}

// A realmPersistents keeps the persistent subscriptions of one realm with the
// names that its logs have in the store. That they belong to the realm their
// owners say.
type realmPersistents struct {
	events.PersistentStore
	at string // "@realm"; empty: the logs have plain names
}

// PutPersistent implements [events.PersistentStore].
func (r realmPersistents) PutPersistent(ctx context.Context, p *events.Persistent, most int) error {
	named := *p
	named.Class += r.at
	return r.PersistentStore.PutPersistent(ctx, &named, most)
}

// Persistent implements [events.PersistentStore].
func (r realmPersistents) Persistent(ctx context.Context, owner, name string) (*events.Persistent, error) {
	p, err := r.PersistentStore.Persistent(ctx, owner, name)
	if p != nil {
		p.Class = strings.TrimSuffix(p.Class, r.at)
	}
	return p, err
}

// Persistents implements [events.PersistentStore].
func (r realmPersistents) Persistents(ctx context.Context, owner string) ([]events.Persistent, error) {
	all, err := r.PersistentStore.Persistents(ctx, owner)
	for i := range all {
		all[i].Class = strings.TrimSuffix(all[i].Class, r.at)
	}
	return all, err
}

// plainSlot is where the store keeps the name of the realm whose logs have
// plain names. It is the hash of a text that is no client token.
var plainSlot = auth.Secret("wireroom: realm of the plain logs").Hash()

// plainRealm returns the realm whose logs have plain names in the store. The
// first that asks for it decides: a store that was made for one realm keeps it,
// whatever realms come before it in the file later, and never shows its logs
// to another.
func plainRealm(ctx context.Context, store auth.TokenStore, first wamp.URI) (wamp.URI, error) {
	t, err := store.Token(ctx, plainSlot)
	if errors.Is(err, auth.ErrNoToken) {
		now := time.Now()
		t = &auth.Token{
			Hash: plainSlot, Client: string(first),
			Created: now, LastSeen: now, Expires: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		}
		err = store.PutToken(ctx, t)
	}
	if err != nil {
		return "", fmt.Errorf("find out whose the logs of the store are: %w", err)
	}
	return wamp.URI(t.Client), nil
}
