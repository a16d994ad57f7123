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
	MethodAnonymous  = "anonymous"  // nobody; the authid is drawn at random
	MethodCookie     = "cookie"     // the client token that came with the WebSocket upgrade
	MethodTicket     = "ticket"     // a JWT, a client token or a user's static ticket, sent in AUTHENTICATE
	MethodCRA        = "wampcra"    // a user's secret or password, by challenge and response
	MethodSCRAM      = "wamp-scram" // a user's password, which neither side shows the other
	MethodCryptosign = "cryptosign" // a user's Ed25519 key
	MethodTLS        = "tls"        // a user's certificate, which TLS has verified
)

// providerStatic is the authprovider of users that the configuration names.
const providerStatic = "static"

// A Hello is what authentication needs to know of a HELLO message.
type Hello struct {
	AuthMethods []string       // in the client's order of preference; may be empty
	AuthID      string         // who the client says it is; may be empty
	AuthExtra   map[string]any // what the methods need to know before; may be nil
	Session     wamp.ID        // the ID that the session will have

	// ChannelID returns what tells the client's TLS connection from every
	// other one, of the type "tls-unique" or "tls-exporter", or nil. It may
	// be nil.
	ChannelID func(kind string) []byte

	// Transport returns what the application is told of the client's
	// connection ([Lookup]). It is called only if the
	// application is asked. It may be nil.
	Transport func() map[string]any
}

// A Grant says who a peer is: the outcome of a successful authentication.
type Grant struct {
	AuthID     string
	AuthRole   string
	Realm      wamp.URI // which the peer joins; empty: the one that it asks for
	AuthMethod string
	Provider   string         // "anonymous", "session" (a client token), "jwt", "static" (a configured user) or "dynamic" (the application)
	Claims     string         // as [Identity.Claims]
	Client     string         // as [Identity.Client]
	Terms      *Terms         // what the session hangs on; nil: on nothing but its connection
	Extra      map[string]any // "client", "user", "expires" (RFC 3339), "verifier" (of WAMP-SCRAM), as far as known; may be nil
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
	rosters  map[wamp.URI]*roster // the users of each realm
	ask      *asker               // nil: nobody is asked
}

// New returns the authentication with cfg, which must be valid. The policy
// says which realms and roles there are. users may be nil.
func New(cfg RoleConfig, policy *Policy, sessions *Sessions, users *Users) *Auth {
	a := &Auth{cfg: cfg, policy: policy, sessions: sessions, rosters: make(map[wamp.URI]*roster)}
	for realm := range policy.realms {
		a.rosters[realm] = users.in(realm, func(c *UserConfig) (string, bool) {
			return a.namedRole(realm, &Identity{User: c.Name, Roles: c.Roles})
		})
	}
	return a
}

// noUsers is the roster of a realm that is not known.
var noUsers = new(roster)

func (a *Auth) roster(realm wamp.URI) *roster {
	if r := a.rosters[realm]; r != nil {
		return r
	}
	return noUsers
}

// Begin decides by which method a peer authenticates, and starts it. id is
// what [Sessions.Identify] found at the upgrade; nil if there was none. Exactly
// one of the results is not nil. Errors are [*wamp.Error]s.
//
// Of the methods that the client lists, in its order, the first that is
// offered here and fits is taken: a cookie fits if it came along and is still
// good, whatever comes first otherwise; tls if a certificate came along that
// was verified, whoever's it is; another method of users if the user, or what is
// made up for a name that nobody has, has a credential for it. A client that
// lists none gets cookie if that fits, and else anonymous.
func (a *Auth) Begin(ctx context.Context, realm wamp.URI, hello Hello, id *Identity) (*Grant, *Challenge, error) {
	id = id.in(realm)
	methods := hello.AuthMethods
	if len(methods) == 0 {
		methods = []string{MethodCookie, MethodAnonymous}
	}
	methods = methods[:min(len(methods), maxMethods)]
	for i, method := range methods {
		if slices.Contains(methods[:i], method) {
			continue
		}
		switch method {
		case MethodTicket:
			return nil, a.ticket(realm, &hello), nil
		case MethodCRA, MethodSCRAM, MethodCryptosign:
			if c, err := a.challengeUser(ctx, realm, method, &hello); c != nil || err != nil {
				return nil, c, err
			}
		case MethodTLS:
			if r := a.roster(realm); id.certified() && len(r.certificates) > 0 {
				g, err := r.certified(id.certificate, hello.AuthID)
				return g, nil, err
			}
		case MethodCookie:
			if !id.Live(time.Now()) {
				continue
			}
			if role, ok := a.cookieRole(realm, id); ok {
				return grant(id, realm, role, MethodCookie), nil, nil
			}
		case MethodAnonymous:
			if a.lookup(MethodAnonymous) != nil {
				g, err := a.askAnonymous(ctx, realm, &hello)
				return g, nil, err
			}
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

// maxMethods is how many of the methods that a client lists are looked at.
const maxMethods = 16

// challengeUser starts a method of users, or returns neither if it does not
// fit.
func (a *Auth) challengeUser(ctx context.Context, realm wamp.URI, method string, hello *Hello) (*Challenge, error) {
	r := a.roster(realm)
	asks := a.lookup(method) != nil
	switch {
	case method == MethodCRA && asks && nameable(hello.AuthID):
		return a.askCRA(ctx, realm, hello)
	case method == MethodCRA && r.cra && nameable(hello.AuthID):
		return a.challengeCRA(r, hello), nil
	case method == MethodSCRAM && asks:
		return a.askSCRAM(ctx, realm, hello)
	case method == MethodSCRAM && r.scram:
		return a.challengeSCRAM(r, hello)
	case method == MethodCryptosign && (asks || len(r.keys) > 0):
		return a.challengeCryptosign(ctx, realm, r, hello)
	}
	return nil, nil
}

// noMethod is the error when no method fits. It says which would have been
// offered, in a fixed order.
func (a *Auth) noMethod(realm wamp.URI, asked []string, id *Identity) error {
	offered := []string{MethodTicket}
	if a.policy.HasRole(realm, a.cfg.Anonymous) || a.lookup(MethodAnonymous) != nil {
		offered = append(offered, MethodAnonymous)
	}
	offered = append(offered, MethodCookie)
	r := a.roster(realm)
	for _, m := range []struct {
		method string
		usable bool
	}{{MethodCRA, r.cra || a.lookup(MethodCRA) != nil}, {MethodSCRAM, r.scram || a.lookup(MethodSCRAM) != nil}, {MethodCryptosign, len(r.keys) > 0 || a.lookup(MethodCryptosign) != nil}, {MethodTLS, len(r.certificates) > 0}} {
		if m.usable {
			offered = append(offered, m.method)
		}
	}
	text := "realm offers " + strings.Join(offered, ", ")
	if slices.Contains(asked, MethodCookie) || len(asked) == 0 {
		if id.Live(time.Now()) {
			text += "; the session of the cookie has no role in this realm"
		} else {
			text += "; no valid session cookie came with the connection"
		}
	}
	if slices.Contains(asked, MethodTLS) && !id.certified() {
		text += "; no certificate that is verified came with the connection"
	}
	return &wamp.Error{URI: wamp.URINoAuthMethod, Text: text}
}

// ticket asks for a ticket, and takes nobody but whom HELLO names, if it does. A
// static ticket is good only with its user's name. What is no ticket here may
// be one for the application.
func (a *Auth) ticket(realm wamp.URI, hello *Hello) *Challenge {
	authid := hello.AuthID
	return &Challenge{
		Method: MethodTicket,
		Answer: func(ctx context.Context, signature string, _ map[string]any) (*Grant, error) {
			if m := a.roster(realm).byTicket(authid, Secret(signature)); m != nil {
				return m.grant(MethodTicket), nil
			}
			id, err := a.sessions.Ticket(ctx, Secret(signature))
			if errors.Is(err, ErrInvalid) && a.lookup(MethodTicket) != nil {
				return a.askTicket(ctx, realm, hello, signature)
			}
			if err != nil {
				return nil, ticketError(err)
			}
			if authid != "" && authid != id.authID() {
				return nil, &wamp.Error{
					URI: wamp.URIAuthenticationFail, Text: "ticket not valid for the authid in HELLO",
				}
			}
			if id.User != "" && id.in(realm) != id {
				return nil, wamp.Errorf(wamp.URIAuthenticationFail, "ticket not valid in realm %s", realm)
			}
			role, err := a.ticketRole(realm, id)
			if err != nil {
				return nil, err
			}
			return grant(id, realm, role, MethodTicket), nil
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

func grant(id *Identity, realm wamp.URI, role, method string) *Grant {
	g := &Grant{AuthID: id.authID(), AuthRole: role, AuthMethod: method, Provider: "jwt", Claims: id.Claims, Client: id.Client, Extra: make(map[string]any, 3)}
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
	if id.Client != "" || !id.Expires.IsZero() {
		g.Terms = id.terms(realm)
	}
	return g
}
