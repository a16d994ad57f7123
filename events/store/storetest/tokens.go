package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
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
		{"a token is replaced if it is of the version", tokenVersions},
		{"of many who replace a token one succeeds", tokenContended},
		{"the tokens of a user", tokensOfUser},
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
		Version:  7,
		Agent:    "Browser/1.0",
		Secrets: auth.Secrets{
			Made: start.Add(1), Current: sha256.Sum256([]byte("current")), Since: start.Add(2),
			Next: sha256.Sum256([]byte("next")), Salt: [16]byte{1, 2, 3}, Previous: sha256.Sum256([]byte("previous")), Until: start.Add(3),
		},
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
	for _, at := range []*time.Time{&got.Created, &got.Expires, &got.LastSeen, &got.Secrets.Made, &got.Secrets.Since, &got.Secrets.Until} {
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
	old := token(4, time.Hour) // from before there were families
	old.Version, old.Agent, old.Secrets = 0, "", auth.Secrets{}
	fresh := token(5, time.Hour)
	fresh.Realm, fresh.Claims, fresh.Agent = "", "", ""
	fresh.Secrets.Next, fresh.Secrets.Previous, fresh.Secrets.Until = [32]byte{}, [32]byte{}, time.Time{}
	unused := token(6, time.Hour)
	unused.LastSeen = time.Time{}
	all := []*auth.Token{full, bare, everywhere, here, old, fresh, unused}
	for _, t := range all {
		s.put(t)
	}
	for _, t := range all {
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

func tokenVersions(t *testing.T, s *tokenSuite) {
	first := token(1, time.Hour)
	replace := func(to *auth.Token, version uint64, want error) {
		t.Helper()
		if err := s.store.ReplaceToken(t.Context(), to, version); !errors.Is(err, want) {
			t.Errorf("ReplaceToken of the version %d: %v, want %v", version, err, want)
		}
	}
	replace(first, 7, auth.ErrNoToken)
	s.wantNone(first)
	s.put(first)
	second := token(1, 2*time.Hour)
	second.Version, second.Secrets.Current = 8, sha256.Sum256([]byte("other"))
	replace(second, 6, auth.ErrTokenChanged)
	s.want(first)
	replace(second, 7, nil)
	s.want(second)
	third := token(1, 3*time.Hour)
	third.Version = 8
	replace(third, 7, auth.ErrTokenChanged)
	s.want(second)
	s.wantExpired(start.Add(time.Hour), 0)

	old := token(2, time.Hour)
	old.Version, old.Agent, old.Secrets = 0, "", auth.Secrets{}
	s.put(old)
	renewed := token(2, 2*time.Hour)
	renewed.Version = 1
	replace(renewed, 0, nil)
	s.want(renewed)
	s.wantExpired(start.Add(2*time.Hour), 2)
}

func tokenContended(t *testing.T, s *tokenSuite) {
	s.put(token(1, time.Hour))
	var wg sync.WaitGroup
	var won atomic.Int64
	for n := range 16 {
		wg.Go(func() {
			mine := token(1, time.Hour)
			mine.Version, mine.Agent = 8, fmt.Sprint(n)
			switch err := s.store.ReplaceToken(t.Context(), mine, 7); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, auth.ErrTokenChanged):
				t.Errorf("ReplaceToken: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 16 replaced the token, want 1", won.Load())
	}
}

func tokensOfUser(t *testing.T, s *tokenSuite) {
	of := func(n int, realm, user string) *auth.Token {
		tk := token(n, time.Hour)
		tk.Realm, tk.User = realm, user
		return tk
	}
	want := func(realm, user string, numbers ...int) {
		t.Helper()
		list, err := s.store.UserTokens(t.Context(), realm, user)
		if err != nil {
			t.Fatalf("UserTokens: %v", err)
		}
		got := make(map[string]bool)
		for _, tk := range list {
			got[tk.Client] = true
			if tk.User != user || tk.Realm != realm || tk.Agent != "Browser/1.0" {
				t.Errorf("UserTokens(%q, %q) has %+v", realm, user, tk)
			}
		}
		expected := make(map[string]bool)
		for _, n := range numbers {
			expected[fmt.Sprint("client-", n)] = true
		}
		if len(list) != len(numbers) || !reflect.DeepEqual(got, expected) {
			t.Errorf("UserTokens(%q, %q) = %v, want %v", realm, user, got, expected)
		}
	}
	want("r", "ada")
	for n, who := range [][2]string{{"r", "ada"}, {"r", "ada"}, {"", "ada"}, {"r", "adam"}, {"ra", "da"}, {"r", ""}, {"", ""}} {
		s.put(of(n, who[0], who[1]))
	}
	want("r", "ada", 0, 1)
	want("", "ada", 2)
	want("r", "adam", 3)
	want("ra", "da", 4)
	want("r", "")
	want("", "")
	s.put(of(1, "r", "ada")) // again
	want("r", "ada", 0, 1)
	renewed := of(1, "r", "ada")
	renewed.Version, renewed.Expires = 8, start.Add(2*time.Hour)
	if err := s.store.ReplaceToken(t.Context(), renewed, 7); err != nil {
		t.Fatal(err)
	}
	want("r", "ada", 0, 1)
	if err := s.store.DeleteToken(t.Context(), of(0, "", "").Hash); err != nil {
		t.Fatal(err)
	}
	want("r", "ada", 1)
	s.wantExpired(start.Add(time.Hour), 5)
	want("r", "ada", 1)
	want("", "ada")
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.store = s.open(s.T, s.dir)
	want("r", "ada", 1)
	s.wantExpired(start.Add(2*time.Hour), 1)
	want("r", "ada")
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
	_, ofUser := s.store.UserTokens(ctx, "", "ada")
	return map[string]error{
		"PutToken":      s.store.PutToken(ctx, token(1, 0)),
		"Token":         get,
		"ReplaceToken":  s.store.ReplaceToken(ctx, token(1, 0), 7),
		"UserTokens":    ofUser,
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
