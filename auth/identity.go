package auth

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router/wamp"
)

// An Identity is what is known about a client before WAMP begins. The zero
// value is an anonymous client without a token. It is not changed once made.
type Identity struct {
	Client  string    // the client's identity, from its token; "" if there is none
	User    string    // who the web application says it is; "" if nobody
	Roles   []string  // the user's roles, in order of preference
	Realm   wamp.URI  // the only one in which the user and the roles mean anything; "": every one
	Claims  string    // what the user's JWT says besides, as a JSON object, as far as [JWTConfig.Claims] asks for it; "" if nothing is known
	Expires time.Time // the identity is worth nothing from then on; zero if it never ends

	certificate *certificate // nil if there is none

	proven time.Time // when the credential was given, which bounds what is made from it
	token  [32]byte  // by which the store knows the client token; zero if there is none
	known  time.Time // when it was looked up; what is revoked later ends who joins with it
}

// Anonymous reports whether there was no token at all.
func (id *Identity) Anonymous() bool { return id == nil || id.Client == "" && id.User == "" }

// Live reports whether the identity is not anonymous and has not expired at now.
func (id *Identity) Live(now time.Time) bool {
	return !id.Anonymous() && (id.Expires.IsZero() || now.Before(id.Expires))
}

// in returns what the identity is worth in a realm. A user of another realm is
// nobody there: names and roles of different realms have nothing to do with
// each other. What stays is the client, and its certificate.
func (id *Identity) in(realm wamp.URI) *Identity {
	if id == nil || id.Realm == "" || id.Realm == realm {
		return id
	}
	return &Identity{Client: id.Client, Expires: id.Expires, certificate: id.certificate, proven: id.proven, token: id.token, known: id.known}
}

// certified reports whether a certificate came along that TLS has verified.
func (id *Identity) certified() bool { return id != nil && id.certificate != nil }

// authID returns the name that the identity goes by in WAMP.
func (id *Identity) authID() string {
	if id.User != "" {
		return id.User
	}
	return id.Client
}

// Limits on names that come from outside. They are far above what anybody
// needs, and keep a credential from growing a store or a log.
const (
	maxUser  = 256  // bytes
	maxRole  = 128  // bytes
	maxRealm = 1024 // bytes
	maxRoles = 64   // of one user
)

func checkUser(s string) error {
	switch {
	case s == "":
		return errors.New("user is empty")
	case len(s) > maxUser:
		return fmt.Errorf("user has %d bytes, at most %d are allowed", len(s), maxUser)
	case !printable(s):
		return fmt.Errorf("user %q has characters that cannot be printed", s)
	}
	return nil
}

func checkRoleName(s string) error {
	switch {
	case s == "":
		return errors.New("expected the name of a role, found an empty text")
	case len(s) > maxRole:
		return fmt.Errorf("expected a role name of at most %d bytes, found %d", maxRole, len(s))
	case !printable(s) || strings.ContainsFunc(s, unicode.IsSpace):
		return fmt.Errorf("expected a role name without spaces and characters that cannot be printed, found %q", s)
	}
	return nil
}

func checkRoles(roles []string) error {
	if len(roles) > maxRoles {
		return fmt.Errorf("%d roles, at most %d are allowed", len(roles), maxRoles)
	}
	for _, role := range roles {
		if err := checkRoleName(role); err != nil {
			return err
		}
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// newClient returns a new client identity: 128 random bits. It is a name and
// no secret.
func newClient() string { return strings.ToLower(rand.Text()) }

// newAnonymousID returns the authid of a session that nobody stands behind:
// 80 random bits.
func newAnonymousID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return anonymousIDs.EncodeToString(b[:])
}

// anonymousIDs spells them: Base32 in lower case.
var anonymousIDs = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")
