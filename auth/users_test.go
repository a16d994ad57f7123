package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// Passwords and secrets of the users below.
const (
	plainSecret  = "a plain shared secret"
	saltPassword = "a salted password"
	pencil       = "pencil"
)

var decoyKey = []byte(strings.Repeat("k", 32))

// A cast is the users that most tests have: one for each kind of credential.
type cast struct {
	*auth.Auth
	config  auth.UsersConfig
	sign    map[string]func(message []byte) []byte // by name, for cryptosign
	pubkeys map[string]string
	ticket  auth.Secret
}

func newCast(t testing.TB) *cast {
	t.Helper()
	ticket, hash := auth.NewTicket()
	c := &cast{ticket: ticket, sign: map[string]func([]byte) []byte{}, pubkeys: map[string]string{}}
	sally := must(auth.NewCRA(saltPassword, 1000))(t)
	pat := must(auth.NewSCRAM(pencil, auth.KDFPBKDF2, 4096, 0))(t)
	argus := must(auth.NewSCRAM(pencil, auth.KDFArgon2id, 1, 64))(t)
	c.config = auth.UsersConfig{
		{Name: "carl", Roles: []string{"member"}, CRA: &auth.CRAConfig{Secret: plainSecret}},
		{Name: "sally", Roles: []string{"editor"}, CRA: sally},
		{Name: "pat", Roles: []string{"member"}, SCRAM: pat},
		{Name: "argus", Roles: []string{"member"}, SCRAM: argus},
		{Name: "tina", Roles: []string{"member"}, TicketSHA256: hash},
		{Name: "kay", Roles: []string{"unknown", "editor"}, Cryptosign: []string{c.newKey("kay")}},
		{Name: "both", Roles: []string{"member"}, CRA: sally, SCRAM: pat},
		{Name: "lost", Roles: []string{"unknown"}, CRA: &auth.CRAConfig{Secret: plainSecret}, Cryptosign: []string{c.newKey("lost")}},
	}
	c.Auth = authOf(t, c.config, decoyKey)
	return c
}

func authOf(t testing.TB, cfg auth.UsersConfig, key []byte) *auth.Auth {
	t.Helper()
	users := must(auth.NewUsers(cfg, key))(t)
	policy := must(auth.NewPolicy(map[wamp.URI]auth.Roles{
		"open":   {"anonymous": {}, "member": {}, "editor": {}},
		"closed": {"editor": {}},
	}))(t)
	return auth.New(auth.DefaultRoleConfig(), policy, newSessions(t, newMemStore()), users)
}

// begin starts an authentication in the realm open.
func (c *cast) begin(t testing.TB, methods, name string, extra map[string]any) (*auth.Challenge, error) {
	t.Helper()
	return begin(t, c.Auth, "open", methods, name, extra)
}

func begin(t testing.TB, a *auth.Auth, realm wamp.URI, methods, name string, extra map[string]any) (*auth.Challenge, error) {
	t.Helper()
	g, ch, err := a.Begin(t.Context(), realm, auth.Hello{
		AuthMethods: strings.Fields(methods), AuthID: name, AuthExtra: extra, Session: 4711,
	}, nil)
	if g != nil {
		t.Fatalf("Begin(%s) for %q lets in without a question: %+v", methods, name, g)
	}
	return ch, err
}

// refused checks that err is what every peer is told, and no more.
func refused(t testing.TB, what string, g *auth.Grant, err error) {
	t.Helper()
	e, ok := errors.AsType[*wamp.Error](err)
	if g != nil || !ok || e.URI != wamp.URIAuthenticationFail || e.Text != "authentication failed" || e.Details != nil {
		t.Errorf("%s: %+v, %v; want it refused with the same words as everything", what, g, err)
	}
}

var clientNonce = base64.StdEncoding.EncodeToString([]byte("sixteen bytes, n"))

// Of several methods the first is taken that the user has something for.
func TestFirstMethodThatFits(t *testing.T) {
	c := newCast(t)
	for _, tt := range []struct {
		name    string
		realm   wamp.URI
		methods string
		authid  string
		want    string // the method of the challenge, or an error's URI
	}{
		{"plain", "open", "wampcra", "carl", "wampcra"},
		{"no such credential", "open", "wamp-scram", "carl", "wamp.error.no_matching_auth_method"},
		{"the second fits", "open", "wamp-scram wampcra", "carl", "wampcra"},
		{"the first fits", "open", "wamp-scram wampcra", "both", "wamp-scram"},
		{"the first fits, in the other order", "open", "wampcra wamp-scram", "both", "wampcra"},
		{"twice the same", "open", "wamp-scram wamp-scram wampcra", "carl", "wampcra"},
		{"before a ticket", "open", "wampcra ticket", "carl", "wampcra"},
		{"after a ticket", "open", "ticket wampcra", "carl", "ticket"},
		{"to a ticket", "open", "wampcra wamp-scram ticket", "tina", "ticket"},
		{"no name", "open", "wampcra wamp-scram", "", "wamp.error.no_matching_auth_method"},
		{"a name that nobody can have", "open", "wampcra wamp-scram", "a\x00b", "wamp.error.no_matching_auth_method"},
		{"a long name", "open", "wampcra wamp-scram", strings.Repeat("x", 300), "wamp.error.no_matching_auth_method"},
		{"a role that the realm has", "closed", "wampcra", "sally", "wampcra"},
		{"cryptosign", "open", "cryptosign wampcra", "carl", "cryptosign"},
		{"an unknown realm", "other", "wampcra wamp-scram cryptosign", "carl", "wamp.error.no_matching_auth_method"},
		{"the 17th method", "open", strings.Repeat("x ", 16) + "wampcra", "carl", "wamp.error.no_matching_auth_method"},
	} {
		extra := map[string]any{"nonce": clientNonce, "pubkey": c.pubkeys["kay"]}
		ch, err := begin(t, c.Auth, tt.realm, tt.methods, tt.authid, extra)
		got := ""
		if err != nil {
			got = string(wamp.AsError(err).URI)
		} else {
			got = ch.Method
		}
		if got != tt.want {
			t.Errorf("%s: Begin(%s) for %q is %s, %v; want %s", tt.name, tt.methods, tt.authid, got, err, tt.want)
		}
	}
}

func TestOffered(t *testing.T) {
	c := newCast(t)
	_, err := begin(t, c.Auth, "open", "x", "", nil)
	if got, want := wamp.AsError(err).Text, "realm offers ticket, anonymous, cookie, wampcra, wamp-scram, cryptosign"; got != want {
		t.Errorf("Begin says %q, want %q", got, want)
	}
	_, err = begin(t, c.Auth, "closed", "x", "", nil)
	if got, want := wamp.AsError(err).Text, "realm offers ticket, cookie, wampcra, cryptosign"; got != want {
		t.Errorf("Begin says %q, want %q", got, want)
	}
}

func TestStaticTicket(t *testing.T) {
	c := newCast(t)
	answer := func(name string, ticket auth.Secret) (*auth.Grant, error) {
		ch, err := c.begin(t, "ticket", name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ch.Answer(t.Context(), string(ticket), map[string]any{"surplus": []any{1}})
	}
	g, err := answer("tina", c.ticket)
	if err != nil || g.AuthID != "tina" || g.AuthRole != "member" || g.AuthMethod != "ticket" || g.Provider != "static" {
		t.Errorf("the right ticket: %+v, %v", g, err)
	}
	if g, err := answer("joe", ticket(t, "joe", "member")); err != nil || g.Provider != "jwt" {
		t.Errorf("a JWT beside static tickets: %+v, %v", g, err)
	}
	other, _ := auth.NewTicket()
	for _, tt := range []struct {
		what, name string
		ticket     auth.Secret
	}{
		{"a wrong ticket", "tina", other},
		{"a cut ticket", "tina", c.ticket[:len(c.ticket)-1]},
		{"a longer ticket", "tina", c.ticket + "x"},
		{"no ticket", "tina", ""},
		{"a huge ticket", "tina", auth.Secret(strings.Repeat("x", 1<<20))},
		{"no name", "", c.ticket},
		{"an unknown name", "eve", c.ticket},
		{"another's name", "carl", c.ticket},
		{"no ticket of an unknown name", "eve", ""},
		{"no ticket of a user without one", "carl", ""},
	} {
		g, err := answer(tt.name, tt.ticket)
		if e := wamp.AsError(err); g != nil || e.URI != wamp.URIAuthenticationFail || e.Text != "ticket not valid" {
			t.Errorf("%s: %+v, %v; want it refused", tt.what, g, err)
		}
	}
}

// What a stranger is asked who says an unknown name is like what a user is
// asked: in its shape, and in being the same each time.
func TestStrangersLookLikeUsers(t *testing.T) {
	c := newCast(t)
	shape := func(name, method string) string {
		ch, err := c.begin(t, method, name, map[string]any{"nonce": clientNonce})
		if err != nil {
			return err.Error()
		}
		again, err := c.begin(t, method, name, map[string]any{"nonce": clientNonce})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"salt", "iterations", "keylen", "memory", "kdf"} {
			if ch.Extra[key] != again.Extra[key] {
				t.Errorf("%s: %s of %q is %v, and then %v", method, key, name, ch.Extra[key], again.Extra[key])
			}
		}
		salt, _ := ch.Extra["salt"].(string)
		keys := slices.Sorted(maps.Keys(ch.Extra))
		look := fmt.Sprint(ch.Method, keys, len(salt), ch.Extra["iterations"], ch.Extra["keylen"], ch.Extra["memory"], ch.Extra["kdf"])
		if text, ok := ch.Extra["challenge"].(string); ok {
			var fields map[string]any
			if err := json.Unmarshal([]byte(text), &fields); err != nil || fields["authid"] != name {
				t.Errorf("%s: challenge of %q is %s, %v", method, name, text, err)
			}
			look += fmt.Sprint(fields["authrole"], len(fields), len(text)-len(name))
		}
		return look
	}
	for _, method := range []string{"wampcra", "wamp-scram", "wampcra wamp-scram", "wamp-scram wampcra"} {
		users, strangers := map[string]bool{}, map[string]bool{}
		for _, u := range c.config {
			if u.Name != "lost" {
				users[shape(u.Name, method)] = true
			}
		}
		for i := range 300 {
			strangers[shape(fmt.Sprintf("stranger%d", i), method)] = true
		}
		strangers[shape("lost", method)] = true // who has no role in this realm
		if !maps.Equal(users, strangers) {
			t.Errorf("%s: users are asked %v\nand strangers %v", method, users, strangers)
		}
	}
}

// What a stranger is asked stays the same with other users, as far as it can.
func TestStrangersStayTheSame(t *testing.T) {
	c := newCast(t)
	more := append(slices.Clone(c.config), auth.UserConfig{Name: "new", Roles: []string{"member"}, CRA: &auth.CRAConfig{Secret: plainSecret}})
	later := authOf(t, more, decoyKey)
	other := authOf(t, more, []byte(strings.Repeat("o", 32)))
	changed, same := 0, 0
	for i := range 50 {
		salt := func(a *auth.Auth) any {
			ch, err := begin(t, a, "open", "wampcra wamp-scram", fmt.Sprintf("stranger%d", i), map[string]any{"nonce": clientNonce})
			if err != nil {
				return nil
			}
			return ch.Extra["salt"]
		}
		before := salt(c.Auth)
		if salt(later) != before {
			t.Errorf("stranger%d was asked with salt %v and now with %v", i, before, salt(later))
		}
		switch {
		case before == nil:
		case salt(other) == before:
			same++
		default:
			changed++
		}
	}
	if same > 0 || changed == 0 {
		t.Errorf("another key changes %d salts, and %d stay", changed, same)
	}
}

func TestManyLooks(t *testing.T) {
	var cfg auth.UsersConfig
	for i := range 4 * auth.MaxModels {
		cfg = append(cfg, auth.UserConfig{Name: fmt.Sprintf("u%d", i), Roles: []string{"member"}, CRA: &auth.CRAConfig{
			Secret: auth.Secret(base64.StdEncoding.EncodeToString(make([]byte, 32))), Salt: "salt", Iterations: 1 + i, KeyLen: 32,
		}})
	}
	a := authOf(t, cfg, decoyKey)
	seen := map[any]bool{}
	for i := range 2000 {
		ch, err := begin(t, a, "open", "wampcra", fmt.Sprintf("stranger%d", i), nil)
		if err != nil {
			t.Fatal(err)
		}
		seen[ch.Extra["iterations"]] = true
	}
	if len(seen) != auth.MaxModels {
		t.Errorf("strangers look like %d users, want %d", len(seen), auth.MaxModels)
	}
}

func TestDecoyKey(t *testing.T) {
	store := newMemStore()
	first := must(auth.DecoyKey(t.Context(), store))(t)
	second := must(auth.DecoyKey(t.Context(), store))(t)
	other := must(auth.DecoyKey(t.Context(), newMemStore()))(t)
	if string(first) != string(second) || string(first) == string(other) || len(first) != 32 {
		t.Errorf("keys %x, %x of one store and %x of another", first, second, other)
	}
	if n, err := newSessions(t, store).Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("Sweep removes %d, %v", n, err)
	}
	store.fail = errors.New("disk on fire")
	if _, err := auth.DecoyKey(t.Context(), store); !errors.Is(err, store.fail) {
		t.Errorf("DecoyKey without a store: %v", err)
	}
	if _, err := auth.NewUsers(nil, first[:31]); err == nil {
		t.Error("NewUsers takes a short key")
	}
}
