package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/ingest"
)

// A sink takes what web applications post: [ingest.Sink],
// [ingest.TokenMinter], [ingest.SessionKeeper] and [ingest.Authenticator] by way of [events.Hub],
// [auth.Sessions] and [auth.Keys]. A key posts to its realm.
type sink struct {
	realms   *realms
	keys     *auth.Keys
	sessions *auth.Sessions

	mu     sync.Mutex // guards the following
	closed bool       // no more is taken: the gateway shuts down
	under  sync.WaitGroup
}

// enter begins a call, which is followed by under.Done unless it fails because
// the gateway shuts down.
func (s *sink) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &ingest.Error{Kind: ingest.Unavailable, Text: "the gateway is shutting down", Index: -1, RetryAfter: time.Second}
	}
	s.under.Add(1)
	return nil
}

// close takes nothing more, and waits until what is under way is done or ctx
// is.
func (s *sink) close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { // ends with the last call under way, which the hub ends at the latest
		s.under.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Key implements [ingest.Authenticator].
func (s *sink) Key(_ context.Context, secret string) (ingest.Key, error) {
	if k := s.keys.Lookup(auth.Secret(secret)); k != nil && secret != "" {
		return ingest.Key{Name: k.Name(), Principal: k}, nil
	}
	return ingest.Key{}, &ingest.Error{Kind: ingest.NotAuthorized, Index: -1}
}

// admit says why the key may not post the event, if so.
func admit(key ingest.Key, e *ingest.Event, index int) error {
	if !key.Principal.(*auth.Key).MayPost(e.Class) {
		return &ingest.Error{
			Kind: ingest.Forbidden, Class: e.Class, Index: index,
			Text: "the key " + key.Name + " may not post events of this class",
		}
	}
	return nil
}

// hub returns the hub of the key's realm.
func (s *sink) hub(key ingest.Key) (*events.Hub, error) {
	name := key.Principal.(*auth.Key).Realm()
	if r := s.realms.get(name); r != nil {
		return r.hub, nil
	}
	return nil, &ingest.Error{Kind: ingest.Unavailable, Text: "the realm " + string(name) + " of the key " + key.Name + " is closed", Index: -1}
}

func hubEvent(e *ingest.Event) *events.Event {
	return &events.Event{ID: e.ID, Class: e.Class, Data: e.Data}
}

func ingestReceipt(r events.Receipt) ingest.Receipt {
	return ingest.Receipt{ID: r.ID, Epoch: r.Epoch, Offset: r.Offset, Duplicate: r.Duplicate}
}

// Publish implements [ingest.Sink].
func (s *sink) Publish(ctx context.Context, key ingest.Key, e *ingest.Event) (ingest.Receipt, error) {
	if err := s.enter(); err != nil {
		return ingest.Receipt{}, err
	}
	defer s.under.Done()
	if err := admit(key, e, -1); err != nil {
		return ingest.Receipt{}, err
	}
	hub, err := s.hub(key)
	if err != nil {
		return ingest.Receipt{}, err
	}
	r, err := hub.Publish(ctx, hubEvent(e))
	if err != nil {
		return ingest.Receipt{}, ingest.Single(ingestError(err))
	}
	return ingestReceipt(r), nil
}

// PublishMany implements [ingest.Sink].
func (s *sink) PublishMany(ctx context.Context, key ingest.Key, batch []*ingest.Event) ([]ingest.Receipt, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.under.Done()
	list := make([]*events.Event, len(batch))
	for i, e := range batch {
		if err := admit(key, e, i); err != nil {
			return nil, err
		}
		list[i] = hubEvent(e)
	}
	hub, err := s.hub(key)
	if err != nil {
		return nil, err
	}
	got, err := hub.PublishMany(ctx, list)
	if err != nil {
		return nil, ingestError(err)
	}
	receipts := make([]ingest.Receipt, len(got))
	for i, r := range got {
		receipts[i] = ingestReceipt(r)
	}
	return receipts, nil
}

// Classes implements [ingest.Sink].
func (s *sink) Classes(_ context.Context, key ingest.Key) ([]ingest.ClassInfo, error) {
	hub, err := s.hub(key)
	if err != nil {
		return nil, err
	}
	var list []ingest.ClassInfo
	for _, c := range hub.Catalogue().Classes() {
		if key.Principal.(*auth.Key).MayPost(c.Name()) {
			list = append(list, classInfo(c.Describe()))
		}
	}
	slices.SortFunc(list, func(a, b ingest.ClassInfo) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func classInfo(d events.Description) ingest.ClassInfo {
	fields := make([]ingest.FieldInfo, len(d.Fields))
	for i, f := range d.Fields {
		fields[i] = ingest.FieldInfo{
			Name: f.Name, Type: string(f.Type), Required: f.Required, Min: f.Min, Max: f.Max,
			Enum: f.Enum, Pattern: f.Pattern, MaxLength: f.MaxLength,
		}
	}
	return ingest.ClassInfo{
		Name: d.Name, About: d.About, Access: d.Access, Roles: d.Roles, Fields: fields,
		OtherFields: d.Unknown == events.UnknownAllow, Channel: d.Channel, Retained: d.Retained,
	}
}

// Token implements [ingest.TokenMinter].
func (s *sink) Token(ctx context.Context, key ingest.Key, user string, roles []string, ttl time.Duration) (string, time.Time, error) {
	if err := s.enter(); err != nil {
		return "", time.Time{}, err
	}
	defer s.under.Done()
	if !key.Principal.(*auth.Key).MayIssue(roles) {
		return "", time.Time{}, ingest.Errorf(ingest.Forbidden, "the key %s may not ask for a token with the roles %s",
			key.Name, cmp.Or(strings.Join(roles, ", "), "(none)"))
	}
	if _, err := s.hub(key); err != nil {
		return "", time.Time{}, err
	}
	secret, token, err := s.sessions.Issue(ctx, key.Principal.(*auth.Key).Realm(), user, roles, ttl)
	if err != nil {
		return "", time.Time{}, tokenError(err)
	}
	return string(secret), token.Expires, nil
}

// Devices implements [ingest.SessionKeeper].
func (s *sink) Devices(ctx context.Context, key ingest.Key, user string) ([]ingest.Device, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.under.Done()
	if err := keepsSessions(key); err != nil {
		return nil, err
	}
	devices, err := s.sessions.Devices(ctx, key.Principal.(*auth.Key).Realm(), user)
	if err != nil {
		return nil, tokenError(err)
	}
	list := make([]ingest.Device, len(devices))
	for i, d := range devices {
		list[i] = ingest.Device{
			Client: d.Client, Agent: d.Agent, Sessions: d.Sessions,
			Made: d.Made.UTC().Format(time.RFC3339), Seen: d.Seen.UTC().Format(time.RFC3339), Expires: d.Expires.UTC().Format(time.RFC3339),
		}
	}
	return list, nil
}

// Revoke implements [ingest.SessionKeeper].
func (s *sink) Revoke(ctx context.Context, key ingest.Key, user, client string) (n int, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.under.Done()
	if err := keepsSessions(key); err != nil {
		return 0, err
	}
	realm := key.Principal.(*auth.Key).Realm()
	if client != "" {
		n, err = s.sessions.RevokeClient(ctx, realm, user, client)
	} else {
		n, err = s.sessions.RevokeUser(ctx, realm, user, "", true)
	}
	if err != nil {
		return n, tokenError(err)
	}
	return n, nil
}

// keepsSessions says why the key may not look after sessions of users, if so:
// who may not let any in has nothing to do with them.
func keepsSessions(key ingest.Key) error {
	if !key.Principal.(*auth.Key).MayIssue(nil) {
		return ingest.Errorf(ingest.Forbidden, "the key %s has no tokens, and so may not look after sessions of users", key.Name)
	}
	return nil
}
