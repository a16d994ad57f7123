package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/wireroom/wireroom/router/wamp"
)

// providerDynamic is the authprovider of those whom the application vouches for.
const providerDynamic = "dynamic"

// A Principal is somebody whom the application knows.
type Principal struct {
	AuthID string         // empty: as the client said
	Role   string         // empty: the default role
	Realm  wamp.URI       // to join; empty: the one that the client asks for
	Extra  map[string]any // for the client, WELCOME.Details.authextra; may be nil

	// For wampcra: the secret, and if it is salted how. Salt and Iterations are
	// those of wamp-scram, too.
	Secret             Secret
	Salt               string
	Iterations, KeyLen int

	// For wamp-scram, as in [SCRAMConfig].
	KDF                  string
	Memory               int
	StoredKey, ServerKey Secret

	PublicKey string // for cryptosign: an Ed25519 key in hex
}

// A Lookup asks the application about somebody who wants to join. details are
// what it is told besides: session, authid, authmethod, authextra, transport,
// and with a ticket that. It must end in a bounded time, and when ctx is done. An
// error is that the application does not know them, or, if it wraps [ErrAway],
// that it can't be asked.
type Lookup func(ctx context.Context, authid string, details map[string]any) (*Principal, error)

// ErrAway is that the application can't be asked at the moment. That is told to
// clients, whoever they are, since it says nothing about anybody.
var ErrAway = errors.New("the application cannot be asked")

// LookupMethods are the methods for which the application can be asked.
var LookupMethods = []string{MethodAnonymous, MethodTicket, MethodCRA, MethodSCRAM, MethodCryptosign}

// An asker asks the application who somebody is, by method.
type asker struct {
	lookups   map[string]Lookup
	elsewhere func(realm wamp.URI) *Auth

	cra, scram looks // of strangers, by method
}

// Looks are what strangers are answered: what was answered before to somebody
// whom the application knows.
type looks struct {
	roster atomic.Pointer[roster] // not changed, but replaced under mu
	mu     sync.Mutex
}

// Asking returns an Auth for one realm that asks lookups, by method: instead of
// looking for users, and about tickets that it does not know. elsewhere returns
// the Auth of another realm, if that is open and the application may send clients
// there, and otherwise nil; it is called concurrently. decoyKey is as for
// [NewUsers].
func (a *Auth) Asking(realm wamp.URI, lookups map[string]Lookup, elsewhere func(realm wamp.URI) *Auth, decoyKey []byte) *Auth {
	other := *a
	other.ask = &asker{lookups: lookups, elsewhere: elsewhere}
	decoy := (&roster{decoy: decoyKey}).secret("asked in\x00"+string(realm), 32)
	other.ask.cra.roster.Store(&roster{decoy: decoy})
	other.ask.scram.roster.Store(&roster{decoy: decoy})
	return &other
}

// lookup returns how to ask for a method, or nil.
func (a *Auth) lookup(method string) Lookup {
	if a.ask == nil {
		return nil
	}
	return a.ask.lookups[method]
}

// asked asks the application about who sent hello. The error is for the client
// if it wraps [ErrAway], and for the log otherwise.
func (a *Auth) asked(ctx context.Context, realm wamp.URI, method string, hello *Hello, authID, ticket string) (*member, *Principal, error) {
	details := map[string]any{
		"session": hello.Session, "authid": nil, "authmethod": method, "authextra": nil, "transport": nil,
	}
	if hello.Transport != nil {
		details["transport"] = hello.Transport()
	}
	if authID != "" {
		details["authid"] = authID
	}
	if hello.AuthExtra != nil {
		details["authextra"] = hello.AuthExtra
	}
	if method == MethodTicket {
		details["ticket"] = ticket
	}
	p, err := a.lookup(method)(ctx, authID, details)
	switch {
	case errors.Is(err, ErrAway):
		return nil, nil, errAway(err)
	case err != nil:
		return nil, nil, fmt.Errorf("the application does not know %q: %w", authID, err)
	}
	m := &member{name: p.AuthID, role: p.Role, provider: providerDynamic, extra: p.Extra}
	if m.name == "" {
		m.name = authID
	}
	there := a // whose roles count
	if p.Realm != "" && p.Realm != realm {
		if there = a.ask.elsewhere(p.Realm); there == nil {
			return nil, nil, fmt.Errorf("the application answers with the realm %q, which the client has not asked for: expected one of auth.authenticator_realms, which must be open", p.Realm)
		}
		m.realm, realm = p.Realm, p.Realm
	}
	if m.role == "" {
		m.role = there.cfg.Default
	}
	switch {
	case !nameable(m.name):
		return nil, nil, fmt.Errorf("the application answers with the authid %q: %w", m.name, checkUser(m.name))
	case !there.policy.HasRole(realm, m.role):
		return nil, nil, fmt.Errorf("the application answers with the role %q, which the realm %s does not have", m.role, realm)
	}
	return m, p, nil
}

// askTicket judges a ticket that nobody here knows.
func (a *Auth) askTicket(ctx context.Context, realm wamp.URI, hello *Hello, ticket string) (*Grant, error) {
	if len(ticket) > maxTicket {
		return nil, ticketError(fmt.Errorf("%w: %d bytes, at most %d are passed on", ErrInvalid, len(ticket), maxTicket))
	}
	m, _, err := a.asked(ctx, realm, MethodTicket, hello, hello.AuthID, ticket)
	switch {
	case errors.Is(err, ErrAway):
		return nil, err
	case err != nil:
		return nil, ticketError(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	return m.grant(MethodTicket), nil
}

// askAnonymous lets in who does not say who they are.
func (a *Auth) askAnonymous(ctx context.Context, realm wamp.URI, hello *Hello) (*Grant, error) {
	m, _, err := a.asked(ctx, realm, MethodAnonymous, hello, newAnonymousID(), "")
	switch {
	case errors.Is(err, ErrAway):
		return nil, err
	case err != nil:
		return nil, errRefused("anonymous: %w", err)
	}
	return m.grant(MethodAnonymous), nil
}

// askCRA starts WAMP-CRA with whom the application knows, and just as well with
// whom it does not.
func (a *Auth) askCRA(ctx context.Context, realm wamp.URI, hello *Hello) (*Challenge, error) {
	m, p, err := a.asked(ctx, realm, MethodCRA, hello, hello.AuthID, "")
	if errors.Is(err, ErrAway) {
		return nil, err
	}
	if err == nil {
		m.cra, err = p.craSecret()
	}
	if err == nil {
		a.ask.cra.remember(&member{role: m.role, cra: m.cra})
		return a.craChallenge(m, nil, hello), nil
	}
	return a.craChallenge(a.stranger(realm, hello.AuthID), err, hello), nil
}

// stranger makes up whom the application does not know.
func (a *Auth) stranger(realm wamp.URI, name string) *member {
	r := a.ask.cra.roster.Load()
	m := r.disguise(name)
	if m.cra == nil { // nobody was known yet
		m.cra = &craSecret{key: r.secret("cra key\x00"+name, 32)}
		m.role = a.cfg.Default
		if m.role == "" {
			m.role = slices.Max(append(slices.Collect(maps.Keys(a.policy.realms[realm])), a.cfg.Anonymous))
		}
	}
	m.provider = providerDynamic
	return m
}

// remember has strangers look like m, among others.
func (k *looks) remember(m *member) {
	look := m.look()
	has := func(r *roster) bool {
		return len(r.models) >= maxModels || slices.ContainsFunc(r.models, func(m model) bool { return m.look == look })
	}
	if has(k.roster.Load()) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.roster.Load(); !has(old) {
		next := model{look, m.withoutKeys()}
		k.roster.Store(&roster{decoy: old.decoy, models: append(slices.Clip(old.models), next)})
	}
}

// withoutKeys returns what m looks like.
func (m *member) withoutKeys() *member {
	like := &member{role: m.role}
	if c := m.cra; c != nil {
		like.cra = &craSecret{salt: c.salt, iterations: c.iterations, keyLen: c.keyLen}
	}
	if s := m.scram; s != nil {
		like.scram = &scramSecret{kdf: s.kdf, salt: s.salt, iterations: s.iterations, memory: s.memory}
	}
	return like
}

// craSecret returns the principal's secret for WAMP-CRA. With a salt it may be
// the key that is derived from the secret, or the secret itself: Crossbar has
// had both. Whoever knows either can join with it anyway.
func (p *Principal) craSecret() (*craSecret, error) {
	if n := len(p.Secret); n == 0 || n > maxCRASecret {
		return nil, fmt.Errorf("the application answers with a secret of %d bytes; expected 1 to %d", n, maxCRASecret)
	}
	c := &craSecret{key: []byte(p.Secret)}
	if p.Salt == "" || p.Iterations == 0 || p.KeyLen == 0 {
		return c, nil
	}
	any64 := Secret(base64.StdEncoding.EncodeToString(make([]byte, min(max(p.KeyLen, 0), maxCRAKey))))
	if err := check(CRAConfig{any64, p.Salt, p.Iterations, p.KeyLen}.Validate); err != nil {
		return nil, fmt.Errorf("the application answers with what is no salted secret: %w", err)
	}
	c.salt, c.iterations, c.keyLen = p.Salt, p.Iterations, p.KeyLen
	return c, nil
}

// maxDerived is how many iterations the gateway itself does for a login.
const maxDerived = 100_000

// deriving has a slot for each derivation that may be under way in the program:
// one for every two cores, and at least one. Anybody can have a key derived,
// before they have proved anything, and the rest of the gateway needs cores, too.
// There is no memory of what was derived before, because how long an answer
// takes would tell whose it has.
var deriving = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// derived returns the key that is derived from a salted secret, or nil if it is
// not salted, or would take too long. It waits for its turn. If that does not
// come before ctx is done, the error is for the client.
func (c *craSecret) derived(ctx context.Context) ([]byte, error) {
	if c.salt == "" || c.iterations > maxDerived {
		return nil, nil
	}
	select {
	case deriving <- struct{}{}:
	case <-ctx.Done():
		return nil, errAway(fmt.Errorf("too many keys are to be derived at the same time: %w", ctx.Err()))
	}
	defer func() { <-deriving }()
	key, err := deriveCRA(Secret(c.key), c.salt, c.iterations, c.keyLen)
	if err != nil {
		return nil, nil
	}
	return []byte(key), nil
}

// errAway tells a client that it is not its fault, and keeps the reason for the
// log.
func errAway(err error) error {
	return &wamp.Error{URI: wamp.URIUnavailable, Text: "authentication is not available at the moment", Err: err}
}

// askKey returns the owner of a public key that nobody here has. Errors are as
// those of asked.
func (a *Auth) askKey(ctx context.Context, realm wamp.URI, hello *Hello, key [32]byte) (*member, error) {
	m, p, err := a.asked(ctx, realm, MethodCryptosign, hello, hello.AuthID, "")
	if err != nil {
		return nil, err
	}
	if theirs, ok := publicKey(p.PublicKey); !ok || theirs != key {
		return nil, errors.New("the application answers with another key than that of the client")
	}
	return m, nil
}
