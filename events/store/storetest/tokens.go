package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
)

// Tokens is a store of tokens that can be closed.
type Tokens interface {
	auth.TokenStore
	Close() error
}

// RunTokens runs the suite for tokens. open is as for [RunLog].
func RunTokens(t *testing.T, open func(t *testing.T, dir string) Tokens) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *tokenSuite)
	}{
		{"a token comes back as it was", tokenRoundTrip},
		{"a token that is not there", tokenAbsent},
		{"a token is replaced", tokenReplaced},
		{"a token is deleted", tokenDeleted},
		{"expired tokens are deleted", tokensExpired},
		{"a renewed token is not deleted with the old expiry", tokenRenewed},
		{"tokens survive a restart", tokensReopened},
		{"tokens belong to the caller", tokenOwnership},
		{"many at once", tokensConcurrent},
		{"a context that is done", tokensCanceled},
		{"a closed store", tokensClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &tokenSuite{T: t, dir: t.TempDir(), open: open}
			s.store = open(t, s.dir)
			t.Cleanup(func() { s.store.Close() })
			test.run(t, s)
		})
	}
}

type tokenSuite struct {
	*testing.T
	dir   string
	open  func(t *testing.T, dir string) Tokens
	store Tokens
}

// token returns a token that expires so long after start; n tells it apart.
func token(n int, ttl time.Duration) *auth.Token {
	return &auth.Token{
		Hash:     sha256.Sum256(fmt.Append(nil, n)),
		Client:   fmt.Sprint("client-", n),
		User:     "Ada Lovelace é",
		Roles:    []string{"member", "admin"},
		Realm:    "com.example.realm",
		Claims:   `{"team":"blue"}`,
		Created:  start.Add(123456789),
		Expires:  start.Add(ttl),
		LastSeen: start.Add(time.Minute),
	}
}

func (s *tokenSuite) put(t *auth.Token) {
	s.Helper()
	if err := s.store.PutToken(s.Context(), t); err != nil {
		s.Fatalf("PutToken: %v", err)
	}
}

// want checks that the token is there, as it is.
func (s *tokenSuite) want(t *auth.Token) {
	s.Helper()
	got, err := s.store.Token(s.Context(), t.Hash)
	if err != nil {
		s.Fatalf("Token: %v", err)
	}
	for _, at := range []*time.Time{&got.Created, &got.Expires, &got.LastSeen} {
		*at = at.UTC()
	}
	if !reflect.DeepEqual(got, t) {
		s.Errorf("the token came back as %+v, want %+v", got, t)
	}
}

func (s *tokenSuite) wantNone(t *auth.Token) {
	s.Helper()
	if got, err := s.store.Token(s.Context(), t.Hash); !errors.Is(err, auth.ErrNoToken) {
		s.Errorf("Token = %+v, %v; want ErrNoToken", got, err)
	}
}

func (s *tokenSuite) wantExpired(now time.Time, want int) {
	s.Helper()
	if n, err := s.store.DeleteExpired(s.Context(), now); n != want || err != nil {
		s.Errorf("DeleteExpired = %d, %v; want %d", n, err, want)
	}
}

func tokenRoundTrip(_ *testing.T, s *tokenSuite) {
	full := token(1, time.Hour)
	bare := &auth.Token{Hash: sha256.Sum256(nil), Client: "c", Expires: start}
	everywhere := token(2, time.Hour)
	everywhere.Realm = ""
	here := token(3, time.Hour)
	here.Claims = ""
	for _, t := range []*auth.Token{full, bare, everywhere, here} {
		s.put(t)
	}
	for _, t := range []*auth.Token{full, bare, everywhere, here} {
		s.want(t)
	}
}

func tokenAbsent(t *testing.T, s *tokenSuite) {
	s.wantNone(token(1, 0))
	if err := s.store.DeleteToken(t.Context(), token(1, 0).Hash); err != nil {
		t.Errorf("DeleteToken of none: %v", err)
	}
	s.wantExpired(start, 0)
}

func tokenReplaced(_ *testing.T, s *tokenSuite) {
	first, second := token(1, time.Hour), token(1, 2*time.Hour)
	second.User, second.Roles, second.Realm, second.Claims = "", nil, "", ""
	s.put(first)
	s.put(second)
	s.want(second)
}

func tokenDeleted(t *testing.T, s *tokenSuite) {
	gone, kept := token(1, time.Hour), token(2, time.Hour)
	s.put(gone)
	s.put(kept)
	if err := s.store.DeleteToken(t.Context(), gone.Hash); err != nil {
		t.Fatalf("DeleteToken: %v", err)
	}
	s.wantNone(gone)
	s.want(kept)
	s.wantExpired(start.Add(time.Hour), 1)
}

func tokensExpired(_ *testing.T, s *tokenSuite) {
	for n := range 10 {
		s.put(token(n, time.Duration(n)*time.Minute))
	}
	s.wantExpired(start.Add(-1), 0)
	s.wantExpired(start.Add(4*time.Minute-1), 4)
	s.wantExpired(start.Add(4*time.Minute), 1)
	s.wantNone(token(4, 0))
	s.want(token(5, 5*time.Minute))
	s.wantExpired(start.Add(time.Hour), 5)
	s.wantExpired(start.Add(time.Hour), 0)
}

func tokenRenewed(_ *testing.T, s *tokenSuite) {
	s.put(token(1, time.Minute))
	renewed := token(1, time.Hour)
	s.put(renewed)
	s.wantExpired(start.Add(time.Minute), 0)
	s.want(renewed)
	s.wantExpired(start.Add(time.Hour), 1)
}

func tokensReopened(_ *testing.T, s *tokenSuite) {
	kept := token(1, time.Hour)
	s.put(kept)
	s.put(token(2, time.Minute))
	if err := s.store.Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
	s.store = s.open(s.T, s.dir)
	s.want(kept)
	s.wantExpired(start.Add(time.Minute), 1)
}

func tokenOwnership(_ *testing.T, s *tokenSuite) {
	given := token(1, time.Hour)
	s.put(given)
	given.Roles[0] = "changed"
	s.want(token(1, time.Hour))
	got, _ := s.store.Token(s.Context(), given.Hash)
	got.Roles[0] = "changed"
	s.want(token(1, time.Hour))
}

func tokensConcurrent(t *testing.T, s *tokenSuite) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range 20 {
				tk := token(w*20+n, time.Hour)
				if err := s.store.PutToken(t.Context(), tk); err != nil {
					t.Errorf("PutToken: %v", err)
				}
				s.want(tk)
				if n%2 == 0 {
					if err := s.store.DeleteToken(t.Context(), tk.Hash); err != nil {
						t.Errorf("DeleteToken: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	s.wantExpired(start.Add(time.Hour), 80)
}

// each calls every method, for its error.
func (s *tokenSuite) each(ctx context.Context) map[string]error {
	_, get := s.store.Token(ctx, token(1, 0).Hash)
	_, expired := s.store.DeleteExpired(ctx, start)
	return map[string]error{
		"PutToken":      s.store.PutToken(ctx, token(1, 0)),
		"Token":         get,
		"DeleteToken":   s.store.DeleteToken(ctx, token(1, 0).Hash),
		"DeleteExpired": expired,
	}
}

func tokensCanceled(t *testing.T, s *tokenSuite) {
	for name, err := range s.each(canceledContext()) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a canceled context: %v", name, err)
		}
	}
}

func tokensClosed(t *testing.T, s *tokenSuite) {
	if err := s.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for name, err := range s.each(t.Context()) {
		if !errors.Is(err, events.ErrClosed) {
			t.Errorf("%s of a closed store: %v, want ErrClosed", name, err)
		}
	}
}
