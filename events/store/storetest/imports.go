package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
)

// A Whole is a store of everything.
type Whole interface {
	Log
	auth.TokenStore
}

// A View is a store that is only read.
type View interface {
	EachLog(ctx context.Context, f func(class string, b events.Bounds, stale bool) error) error
	Bounds(ctx context.Context, class string) (events.Bounds, error)
	Records(ctx context.Context, class string, after, through uint64) ([]events.Record, error)
	LogBytes(ctx context.Context, class string) (int64, error)
	EachToken(ctx context.Context, f func(t *auth.Token) bool) error
	EachPersistent(ctx context.Context, afterOwner, afterName string, f func(*events.Persistent) bool) error
	Verify(ctx context.Context, fault func(where, what string), record func(r *events.Record)) error
	Close() error
}

// An Import is a store in the making.
type Import interface {
	Begin(ctx context.Context) error
	Log(ctx context.Context, class string, b events.Bounds) error
	Records(ctx context.Context, class string, records []events.Record) error
	PutToken(ctx context.Context, t *auth.Token) error
	PutPersistent(ctx context.Context, p *events.Persistent) error
	Commit(ctx context.Context) error
	Abort(ctx context.Context) error
}

// Imports opens what [RunImports] checks, at a place that is named by a
// directory.
type Imports struct {
	Open   func(t *testing.T, dir string) Whole
	View   func(t *testing.T, dir string) (View, error)
	Import func(t *testing.T, dir string) Import
}

// RunImports runs the suite for taking a store apart and putting it together.
func RunImports(t *testing.T, open Imports) {
	for _, test := range []struct {
		name string
		run  func(s *importSuite)
	}{
		{"a log is as it was, and goes on", importLog},
		{"a log without records keeps its place", importEmptyLog},
		{"a log begins anew", importLogAgain},
		{"tokens and subscriptions are as they were", importClients},
		{"offsets must follow", importGap},
		{"an import that is given up leaves nothing", importAborted},
		{"a part of a store is none", importPart},
		{"a view finds everything and nothing wrong", viewWhole},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&importSuite{T: t, dir: t.TempDir(), Imports: open})
		})
	}
}

type importSuite struct {
	*testing.T
	Imports
	dir string
}

// do fails the test if something fails.
func (s *importSuite) do(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// begin begins an import.
func (s *importSuite) begin() Import {
	s.Helper()
	m := s.Import(s.T, s.dir)
	s.do("Begin", m.Begin(s.Context()))
	return m
}

// use opens the store that was made.
func (s *importSuite) use() *suite {
	s.Helper()
	store := s.Open(s.T, s.dir)
	s.Cleanup(func() { store.Close() })
	return &suite{T: s.T, dir: s.dir, store: store}
}

// numbered returns records of the class "c" with offsets from first on. Every
// second id was given, every third has a channel.
func numbered(first uint64, n int) []events.Record {
	records := make([]events.Record, n)
	for i := range records {
		r := record(int(first) + i)
		r.Offset, r.IDGiven = first+uint64(i), i%2 == 0
		if i%3 == 0 {
			r.Channel = "Ada é"
		}
		records[i] = r
	}
	return records
}

func importLog(s *importSuite) {
	m, ctx := s.begin(), s.Context()
	want := events.Bounds{Epoch: "its-own_epoch", First: 5, Next: 25, Base: 7}
	s.do("Log", m.Log(ctx, "c", want))
	records := numbered(5, 20)
	s.do("Records", m.Records(ctx, "c", records[:3]))
	s.do("Records", m.Records(ctx, "c", records[3:]))
	s.do("Commit", m.Commit(ctx))

	u := s.use()
	if b := u.bounds("c"); b != want {
		s.Errorf("Bounds = %+v, want %+v", b, want)
	}
	if got := u.all("c"); !reflect.DeepEqual(got, records) {
		s.Errorf("the records are\n%+v, want\n%+v", got, records)
	}
	u.wantOffsets(u.read(events.Range{Class: "c", Channel: "Ada é", Through: 99, Limit: 5, Bytes: 1 << 20}), 5, 8, 11, 14, 17, 20, 23)
	again := records[2]
	if got := u.mustAppend(again)[0]; !got.Duplicate || got.Offset != 7 || got.Epoch != want.Epoch {
		s.Errorf("a record that is there is appended as %+v, want a duplicate at 7", got)
	}
	early := record(1) // times don't decrease
	if got := u.mustAppend(early)[0]; got.Offset != 25 || got.Epoch != want.Epoch || got.Base != want.Base || got.Time.Before(records[19].Time) {
		s.Errorf("the next record is appended as %+v, want offset 25 in the same epoch", got)
	}
	if n := u.trim("c", events.Retain{Events: 3}, start); n != 18 {
		s.Errorf("trimmed %d, want 18", n)
	}
	u.wantBounds("c", 23, 26)
}

func importEmptyLog(s *importSuite) {
	m, ctx := s.begin(), s.Context()
	s.do("Log", m.Log(ctx, "c", events.Bounds{Epoch: "e1", First: 7, Next: 7}))
	s.do("Log", m.Log(ctx, "new", events.Bounds{Epoch: "e2", First: 1, Next: 1}))
	s.do("Records", m.Records(ctx, "c", nil))
	s.do("Commit", m.Commit(ctx))
	u := s.use()
	u.wantBounds("c", 7, 7)
	if got := u.mustAppend(record(1))[0]; got.Offset != 7 || got.Epoch != "e1" {
		s.Errorf("the first record is appended as %+v, want offset 7 in e1", got)
	}
	if b := u.bounds("new"); b != (events.Bounds{Epoch: "e2", First: 1, Next: 1}) {
		s.Errorf("the new log has the bounds %+v", b)
	}
}

func importLogAgain(s *importSuite) {
	m, ctx := s.begin(), s.Context()
	b := events.Bounds{Epoch: "e1", First: 1, Next: 30}
	s.do("Log", m.Log(ctx, "c", b))
	s.do("Records", m.Records(ctx, "c", numbered(1, 10)))
	b.First = 20
	s.do("Log", m.Log(ctx, "c", b))
	s.do("Records", m.Records(ctx, "c", numbered(20, 10)))
	s.do("Commit", m.Commit(ctx))
	u := s.use()
	u.wantBounds("c", 20, 30)
	if got := u.all("c"); !reflect.DeepEqual(got, numbered(20, 10)) {
		s.Errorf("the records are %+v", got)
	}
	old := numbered(1, 1)[0]
	if got := u.mustAppend(old)[0]; got.Duplicate || got.Offset != 30 {
		s.Errorf("a record that is gone is appended as %+v, want offset 30", got)
	}
}

// subscription returns a persistent subscription; n tells it apart.
func subscription(n int, ttl time.Duration) *events.Persistent {
	return &events.Persistent{
		Owner: string([]byte{'o', 0, byte(n), 0xff}), Name: "name é", Class: "c", Channel: "Ada", Where: "n > 1", Explicit: n%2 == 0,
		Created: start, Seen: start.Add(time.Second), Expires: start.Add(ttl), For: time.Hour,
		Position: events.Position{Epoch: "e1", Offset: 3}, Acked: []events.Span{{From: 5, Through: 5}, {From: 7, Through: 8}},
	}
}

func importClients(s *importSuite) {
	m, ctx := s.begin(), s.Context()
	// Some have expired, but nobody has removed them.
	ttl := []time.Duration{200 * 24 * time.Hour * 365, time.Hour, 100 * 24 * time.Hour * 365}
	for i := range 3 {
		s.do("PutToken", m.PutToken(ctx, token(i, ttl[i])))
		s.do("PutPersistent", m.PutPersistent(ctx, subscription(i, ttl[i])))
	}
	renewed := token(0, ttl[0]+time.Hour)
	s.do("PutToken", m.PutToken(ctx, renewed))
	s.do("Commit", m.Commit(ctx))
	v, err := s.View(s.T, s.dir)
	s.do("View", err)
	defer v.Close()
	var tokens []*auth.Token
	s.do("EachToken", v.EachToken(ctx, func(t *auth.Token) bool {
		for _, at := range []*time.Time{&t.Created, &t.Expires, &t.LastSeen} {
			*at = at.UTC()
		}
		tokens = append(tokens, t)
		return true
	}))
	if want := []*auth.Token{token(1, ttl[1]), token(2, ttl[2]), renewed}; !reflect.DeepEqual(tokens, want) {
		s.Errorf("the tokens are %+v, want those of 1, 2 and 0", tokens)
	}
	n := 0
	s.do("EachToken", v.EachToken(ctx, func(*auth.Token) bool { n++; return false }))
	var subs []*events.Persistent
	s.do("EachPersistent", v.EachPersistent(ctx, "", "", func(p *events.Persistent) bool {
		subs = append(subs, p)
		return true
	}))
	if want := []*events.Persistent{subscription(0, ttl[0]), subscription(1, ttl[1]), subscription(2, ttl[2])}; n != 1 || !reflect.DeepEqual(subs, want) {
		s.Errorf("the subscriptions are %+v, want %+v", subs, want)
	}
}

func importGap(s *importSuite) {
	m, ctx := s.begin(), s.Context()
	s.do("Log", m.Log(ctx, "c", events.Bounds{Epoch: "e1", First: 1, Next: 30}))
	s.do("Records", m.Records(ctx, "c", numbered(1, 10)))
	if err := m.Records(ctx, "c", numbered(12, 2)); err == nil {
		s.Error("offsets after a gap are taken")
	}
	if err := m.Records(ctx, "c", []events.Record{numbered(11, 1)[0], numbered(13, 1)[0]}); err == nil {
		s.Error("offsets with a gap are taken")
	}
	s.do("Abort", m.Abort(ctx))
}

func importAborted(s *importSuite) {
	m, ctx := s.begin(), s.Context()
	s.do("Log", m.Log(ctx, "c", events.Bounds{Epoch: "e1", First: 1, Next: 11}))
	s.do("Records", m.Records(ctx, "c", numbered(1, 10)))
	s.do("PutToken", m.PutToken(ctx, token(1, time.Hour)))
	s.do("Abort", m.Abort(ctx))
	s.do("Abort, again", m.Abort(ctx))
	u := s.use()
	if b := u.bounds("c"); b.Epoch == "e1" || b.Next != 1 {
		s.Errorf("Bounds = %+v, want those of a new log", b)
	}
	if _, err := u.store.(Whole).Token(ctx, token(1, 0).Hash); !errors.Is(err, auth.ErrNoToken) {
		s.Errorf("Token: %v, want ErrNoToken", err)
	}
}

func importPart(s *importSuite) {
	m, ctx := s.begin(), s.Context()
	s.do("Log", m.Log(ctx, "c", events.Bounds{Epoch: "e1", First: 1, Next: 11}))
	s.do("Records", m.Records(ctx, "c", numbered(1, 10)))
	if v, err := s.View(s.T, s.dir); err == nil {
		v.Close()
		s.Error("a part of a store can be opened")
	}
	s.do("Abort", m.Abort(ctx))
	m = s.begin()
	s.do("Commit", m.Commit(ctx))
	v, err := s.View(s.T, s.dir)
	s.do("View", err)
	defer v.Close()
	s.do("EachLog", v.EachLog(ctx, func(class string, _ events.Bounds, _ bool) error {
		s.Errorf("the log %s of an import that was given up is there", class)
		return nil
	}))
}

func viewWhole(s *importSuite) {
	ctx := s.Context()
	store := s.Open(s.T, s.dir)
	u := &suite{T: s.T, dir: s.dir, store: store}
	for i := range 300 {
		r := numbered(uint64(i)+1, 7)[i%7]
		r.Class = []string{"a", "b@realm", "c"}[i%3]
		r.ID += r.Class
		u.mustAppend(r)
	}
	u.trim("c", events.Retain{Events: 40}, start)
	u.bounds("empty")
	want := map[string]events.Bounds{}
	for _, class := range []string{"a", "b@realm", "c", "empty"} {
		want[class] = u.bounds(class)
	}
	for i := range 30 {
		s.do("PutToken", store.PutToken(ctx, token(i, time.Duration(i)*time.Hour*1e5)))
	}
	s.do("Close", store.Close())

	v, err := s.View(s.T, s.dir)
	s.do("View", err)
	defer v.Close()
	var names []string
	s.do("EachLog", v.EachLog(ctx, func(class string, b events.Bounds, stale bool) error {
		names = append(names, class)
		if b != want[class] || stale {
			s.Errorf("the log %s has %+v, stale %v; want %+v", class, b, stale, want[class])
		}
		return nil
	}))
	if !slices.Equal(names, []string{"a", "b@realm", "c", "empty"}) {
		s.Errorf("the logs are %v", names)
	}
	if b, err := v.Bounds(ctx, "nothing"); err != nil || b.Epoch != "" {
		s.Errorf("Bounds of no log = %+v, %v", b, err)
	}
	records, err := v.Records(ctx, "c", 65, 70)
	s.do("Records", err)
	if len(records) != 5 || records[0].Offset != 66 || records[4].Offset != 70 || records[0].Class != "c" {
		s.Errorf("Records of 66 to 70 = %+v", records)
	}
	if records, err := v.Records(ctx, "c", 100, 1000); len(records) != 0 || err != nil {
		s.Errorf("Records behind the end = %+v, %v", records, err)
	}
	if n, err := v.LogBytes(ctx, "a"); err != nil || n < 100 {
		s.Errorf("LogBytes = %d, %v", n, err)
	}
	n := 0
	s.do("Verify", v.Verify(ctx, func(where, what string) { s.Errorf("%s: %s", where, what) }, func(*events.Record) { n++ }))
	if n != 240 {
		s.Errorf("Verify reads %d records, want 240", n)
	}
	if err := v.EachLog(canceledContext(), func(string, events.Bounds, bool) error { return nil }); !errors.Is(err, context.Canceled) {
		s.Errorf("EachLog with a canceled context: %v", err)
	}
}
