package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// The WAMP authentication methods.
const (
	MethodAnonymous = "anonymous" // nobody; the authid is drawn at random
	MethodCookie    = "cookie"    // the client token that came with the WebSocket upgrade
	MethodTicket    = "ticket"    // a JWT or a client token, sent in AUTHENTICATE
)

// A Hello is what authentication needs to know of a HELLO message.
type Hello struct {
	AuthMethods []string // in the client's order of preference; may be empty
	AuthID      string   // who the client says it is; may be empty
}

// A Grant says who a peer is: the outcome of a successful authentication.
type Grant struct {
	AuthID     string
	AuthRole   string
	AuthMethod string
	Provider   string         // "anonymous", "session" (a client token) or "jwt"
	Extra      map[string]any // "client", "user", "expires" (RFC 3339), as far as known; may be nil
}

// A Challenge is a question that a joining peer must answer.
type Challenge struct {
	Method string
	Extra  map[string]any

	// Answer judges the peer's AUTHENTICATE message. Its error is, or wraps,
	// a [wamp.Error].
	Answer func(ctx context.Context, signature string, extra map[string]any) (*Grant, error)
}

// Auth authenticates WAMP peers. It is immutable.
type Auth struct {
	cfg      RoleConfig
	policy   *Policy
	sessions *Sessions
}

// New returns the authentication with cfg, which must be valid. The policy
// says which roles there are.
func New(cfg RoleConfig, policy *Policy, sessions *Sessions) *Auth {
	return &Auth{cfg: cfg, policy: policy, sessions: sessions}
}

// Begin decides by which method a peer authenticates, and starts it. id is
// what [Sessions.Identify] found at the upgrade; nil if there was none. Exactly
// one of the results is not nil. Errors are [*wamp.Error]s.
//
// Of the methods that the client lists, in its order, the first that is
// offered here and fits is taken: a cookie fits if it came along and is still
// good, whatever comes first otherwise. A client that lists none gets cookie
// if that fits, and else anonymous.
func (a *Auth) Begin(_ context.Context, realm wamp.URI, hello Hello, id *Identity) (*Grant, *Challenge, error) {
	methods := hello.AuthMethods
	if len(methods) == 0 {
		methods = []string{MethodCookie, MethodAnonymous}
	}
	for _, method := range methods {
		switch method {
		case MethodTicket:
			return nil, a.ticket(realm, hello.AuthID), nil
		case MethodCookie:
			if !id.Live(time.Now()) {
				continue
			}
			if role, ok := a.cookieRole(realm, id); ok {
				return grant(id, role, MethodCookie), nil, nil
			}
		case MethodAnonymous:
			if a.policy.HasRole(realm, a.cfg.Anonymous) {
				return &Grant{
					AuthID: newAnonymousID(), AuthRole: a.cfg.Anonymous,
					AuthMethod: MethodAnonymous, Provider: "anonymous",
				}, nil, nil
			}
		}
	}
	return nil, nil, a.noMethod(realm, hello.AuthMethods, id)
}

// noMethod is the error when no method fits. It says which would have been
// offered, in a fixed order.
func (a *Auth) noMethod(realm wamp.URI, asked []string, id *Identity) error {
	offered := []string{MethodTicket}
	if a.policy.HasRole(realm, a.cfg.Anonymous) {
		offered = append(offered, MethodAnonymous)
	}
	offered = append(offered, MethodCookie)
	text := "realm offers " + strings.Join(offered, ", ")
	if slices.Contains(asked, MethodCookie) || len(asked) == 0 {
		if id.Live(time.Now()) {
			text += "; the session of the cookie has no role in this realm"
		} else {
			text += "; no valid session cookie came with the connection"
		}
	}
	return &wamp.Error{URI: wamp.URINoAuthMethod, Text: text}
}

// ticket asks for a ticket, and takes nobody but authid, if that is not empty.
func (a *Auth) ticket(realm wamp.URI, authid string) *Challenge {
	return &Challenge{
		Method: MethodTicket,
		Answer: func(ctx context.Context, signature string, _ map[string]any) (*Grant, error) {
			id, err := a.sessions.Ticket(ctx, Secret(signature))
			if err != nil {
				return nil, ticketError(err)
			}
			if authid != "" && authid != id.authID() {
				return nil, &wamp.Error{
					URI: wamp.URIAuthenticationFail, Text: "ticket not valid for the authid in HELLO",
				}
			}
			role, err := a.ticketRole(realm, id)
			if err != nil {
				return nil, err
			}
			return grant(id, role, MethodTicket), nil
		},
	}
}

// ticketError tells a peer that its ticket expired, or is not valid, and keeps
// the reason for the log.
func ticketError(err error) error {
	switch {
	case errors.Is(err, ErrExpired):
		return &wamp.Error{URI: wamp.URIAuthenticationFail, Text: ErrExpired.Error(), Err: err}
	case errors.Is(err, ErrInvalid):
		return &wamp.Error{URI: wamp.URIAuthenticationFail, Text: ErrInvalid.Error(), Err: err}
	default:
		return &wamp.Error{URI: wamp.URIUnavailable, Text: "tickets cannot be checked at the moment", Err: err}
	}
}

// namedRole returns the first of the identity's roles that the realm has, or,
// if it names none, the default role of users.
func (a *Auth) namedRole(realm wamp.URI, id *Identity) (string, bool) {
	for _, role := range id.Roles {
		if a.policy.HasRole(realm, role) {
			return role, true
		}
	}
	usable := id.User != "" && len(id.Roles) == 0 && a.cfg.Default != "" && a.policy.HasRole(realm, a.cfg.Default)
	return a.cfg.Default, usable
}

// cookieRole returns the role of a client with a cookie. One whose roles are
// all unknown is not sent away, since its user can do little about a stale
// cookie: it has the anonymous role.
func (a *Auth) cookieRole(realm wamp.URI, id *Identity) (string, bool) {
	if role, ok := a.namedRole(realm, id); ok {
		return role, true
	}
	return a.cfg.Anonymous, a.policy.HasRole(realm, a.cfg.Anonymous)
}

// ticketRole returns the role of a client with a ticket, who asked to be
// somebody and so is not made anonymous in silence.
func (a *Auth) ticketRole(realm wamp.URI, id *Identity) (string, error) {
	if role, ok := a.namedRole(realm, id); ok {
		return role, nil
	}
	switch {
	case id.User == "" && a.policy.HasRole(realm, a.cfg.Anonymous):
		return a.cfg.Anonymous, nil
	case id.User == "":
		return "", wamp.Errorf(wamp.URINoSuchRole, "ticket names no user, and realm %s has no role for anonymous clients", realm)
	case len(id.Roles) == 0:
		return "", wamp.Errorf(wamp.URINoSuchRole, "ticket names no role, and realm %s has no default role", realm)
	default:
		return "", wamp.Errorf(wamp.URINoSuchRole, "realm %s has no role %s", realm, strings.Join(id.Roles, " or "))
	}
}

func grant(id *Identity, role, method string) *Grant {
	g := &Grant{AuthID: id.authID(), AuthRole: role, AuthMethod: method, Provider: "jwt", Extra: make(map[string]any, 3)}
	if id.Client != "" {
		g.Provider = "session"
		g.Extra["client"] = id.Client
	}
	if id.User != "" {
		g.Extra["user"] = id.User
	}
	if !id.Expires.IsZero() {
		g.Extra["expires"] = id.Expires.UTC().Format(time.RFC3339)
	}
	return g
}
