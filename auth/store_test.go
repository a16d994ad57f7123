package auth_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// memStore is a TokenStore in memory that counts and can be made to fail.
type memStore struct {
	mu     sync.Mutex // guards the following
	tokens map[[32]byte]*auth.Token
	reads  int
	writes int
	fail   error // what every method returns, unless nil

	// Called without mu around the methods; nil: nothing.
	beforePut, beforeDelete, afterRead func()
}

func newMemStore() *memStore { return &memStore{tokens: make(map[[32]byte]*auth.Token)} }

func (m *memStore) PutToken(_ context.Context, t *auth.Token) error {
	if m.beforePut != nil {
		m.beforePut()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.writes++
	m.tokens[t.Hash] = t.Clone()
	return nil
}

func (m *memStore) ReplaceToken(_ context.Context, t *auth.Token, version uint64) error {
	if m.beforePut != nil {
		m.beforePut()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	switch old, ok := m.tokens[t.Hash]; {
	case !ok:
		return auth.ErrNoToken
	case old.Version != version:
		return auth.ErrTokenChanged
	}
	m.writes++
	m.tokens[t.Hash] = t.Clone()
	return nil
}

func (m *memStore) UserTokens(_ context.Context, realm, user string) (list []*auth.Token, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	for _, t := range m.tokens {
		if t.User == user && t.User != "" && t.Realm == realm {
			list = append(list, t.Clone())
		}
	}
	return list, nil
}

func (m *memStore) Token(_ context.Context, hash [32]byte) (*auth.Token, error) {
	if m.afterRead != nil {
		defer m.afterRead()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	m.reads++
	t, ok := m.tokens[hash]
	if !ok {
		return nil, auth.ErrNoToken
	}
	return t.Clone(), nil
}

func (m *memStore) DeleteToken(_ context.Context, hash [32]byte) error {
	if m.beforeDelete != nil {
		m.beforeDelete()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	delete(m.tokens, hash)
	return nil
}

func (m *memStore) DeleteExpired(_ context.Context, now time.Time) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	for hash, t := range m.tokens {
		if !now.Before(t.Expires) {
			delete(m.tokens, hash)
			n++
		}
	}
	return n, nil
}

// setFail has all methods return the error; nil: none.
func (m *memStore) setFail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memStore) counts() (tokens, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.tokens), m.writes
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// must2 is must for the first of two values.
func must2[T, U any](v T, _ U, err error) func(testing.TB) T { return must(v, err) }

// A nullWriter is where an answer goes that nobody reads.
type nullWriter struct{}

func (nullWriter) Header() http.Header         { return make(http.Header) }
func (nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (nullWriter) WriteHeader(int)             {}
