package embedded_test

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// A file of before there was an index of users gets one when it is opened: each
// user has the tokens that are in it, and those that come and go later.
func TestUsersOfAnOlderFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	reopen := func(s *embedded.Store) *embedded.Store {
		t.Helper()
		if s != nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s, err := tryOpen(path)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	token := func(n int, realm, user string) *auth.Token {
		return &auth.Token{
			Hash: sha256.Sum256(fmt.Append(nil, n)), Client: fmt.Sprint("client-", n), Realm: realm, User: user,
			Created: time.Unix(1_800_000_000, 0).UTC(), Expires: time.Unix(1_900_000_000, 0).UTC(),
		}
	}
	put := func(s *embedded.Store, all ...*auth.Token) {
		t.Helper()
		for _, token := range all {
			if err := s.PutToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(s *embedded.Store, realm, user string, clients ...string) {
		t.Helper()
		list, err := s.UserTokens(t.Context(), realm, user)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, token := range list {
			got = append(got, token.Client)
		}
		slices.Sort(got)
		if !slices.Equal(got, clients) {
			t.Errorf("the user %s of the realm %q has the tokens of %q, want %q", user, realm, got, clients)
		}
	}

	s := reopen(nil)
	put(s, token(1, "a", "ada"), token(2, "a", "ada"), token(3, "b", "ada"), token(4, "a", "bob"), token(5, "a", ""))
	if err := s.Damage(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("users")) }); err != nil {
		t.Fatal(err)
	}
	s = reopen(s)
	want(s, "a", "ada", "client-1", "client-2")
	want(s, "b", "ada", "client-3")
	want(s, "a", "bob", "client-4")
	want(s, "b", "bob")

	put(s, token(6, "a", "bob"))
	if err := s.DeleteToken(t.Context(), token(1, "a", "ada").Hash); err != nil {
		t.Fatal(err)
	}
	s = reopen(s)
	want(s, "a", "ada", "client-2")
	want(s, "a", "bob", "client-4", "client-6")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
