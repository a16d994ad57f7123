package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sessionReply is the body of what /session answers.
type sessionReply struct {
	Client  string    `json:"client"`
	Expires time.Time `json:"expires"`
	User    string    `json:"user,omitempty"`
	Roles   []string  `json:"roles,omitempty"`
	Realm   string    `json:"realm,omitempty"`
}

// ServeHTTP answers requests to /session.
//
// POST gives a token as a cookie, or renews the one that came along; with
// "Authorization: Bearer" and a JWT or a token from [Sessions.Issue] the
// client becomes that user's. GET tells what the token is and when it ends,
// and changes nothing. DELETE revokes it. POST and DELETE by pages of a
// foreign origin are refused. Failures are application/problem+json.
func (s *Sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	s.origins.allowCORS(w, r)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.serveGet(w, r)
	case http.MethodPost, http.MethodDelete:
		if !s.origins.trusts(r, s.cfg.Secure) {
			problem(w, http.StatusForbidden, "pages of this origin may not change the session")
			return
		}
		if r.Method == http.MethodPost {
			s.servePost(w, r)
		} else {
			s.serveDelete(w, r)
		}
	case http.MethodOptions:
		w.Header().Set("Allow", sessionMethods)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", sessionMethods)
		problem(w, http.StatusMethodNotAllowed, "/session takes "+sessionMethods)
	}
}

const sessionMethods = "GET, HEAD, POST, DELETE, OPTIONS"

func (s *Sessions) serveGet(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	t, _, err := s.presented(r.Header, func(secret Secret) (*Token, error) {
		t, _, err := s.find(r.Context(), secret, now) // which puts no successor in force
		return t, err
	})
	switch {
	case err != nil:
		s.unavailable(w, r, err)
	case t == nil || t.left():
		unauthorized(w, "no session: the cookie is missing, expired or revoked")
	default:
		s.reply(w, t)
	}
}

func (s *Sessions) servePost(w http.ResponseWriter, r *http.Request) {
	ctx, now := r.Context(), time.Now()
	who, err := s.bearer(r)
	if err != nil {
		switch {
		case errors.Is(err, ErrExpired):
			unauthorized(w, "ticket expired")
		case errors.Is(err, ErrInvalid):
			s.log.LogAttrs(ctx, slog.LevelWarn, "ticket refused at /session",
				slog.String("remote", r.RemoteAddr), slog.Any("err", err))
			unauthorized(w, "ticket not valid")
		default:
			s.unavailable(w, r, err)
		}
		return
	}
	var g gift
	agent := agentOf(r)
	t, secret, err := s.presented(r.Header, func(secret Secret) (*Token, error) {
		return s.update(ctx, secret, now, func(*Token, standing) bool { return false })
	})
	if err == nil && who != nil {
		g, err = s.bind(ctx, t, secret, who, now, agent)
	} else if err == nil {
		g, err = s.give(ctx, t, secret, now, agent, r.RemoteAddr)
	}
	if crowd, ok := errors.AsType[*crowdError](err); ok {
		// Rounded up: who waits that long is given one.
		w.Header().Set("Retry-After", strconv.Itoa(int((crowd.wait+time.Second-1)/time.Second)))
		problem(w, http.StatusTooManyRequests, "too many new clients; go on without a session, or try again later")
		return
	}
	if err != nil {
		s.unavailable(w, r, err)
		return
	}
	if g.moved { // what says nothing new could overtake what does
		end := s.end(g.token)
		s.setCookie(w, r, g.secret, end.Sub(now), end)
	}
	s.reply(w, g.token)
	if g.after != nil {
		// Who comes back at once should have the new cookie by then. What the
		// old one is worth has been settled before.
		_ = http.NewResponseController(w).Flush()
		s.spread(*g.after)
	}
}

// maxAgent is how much is kept of a User-Agent, in bytes.
const maxAgent = 256

// agentOf returns what the request says of the program that makes it, as far as
// it can be shown to people.
func agentOf(r *http.Request) string {
	agent := r.UserAgent()
	if len(agent) > maxAgent {
		agent = strings.ToValidUTF8(agent[:maxAgent], "")
	}
	if !printable(agent) {
		return ""
	}
	return agent
}

func (s *Sessions) serveDelete(w http.ResponseWriter, r *http.Request) {
	ctx, now := r.Context(), time.Now()
	for _, secret := range candidates(r.Header, s.cfg.Cookie) {
		t, _, err := s.find(ctx, secret, now)
		switch {
		case errors.Is(err, ErrExpired):
			err = s.delete(ctx, secret.Key())
		case err == nil:
			err = s.remove(ctx, t, Revocation{Client: t.Client, Text: "the client has logged out"})
		}
		if err != nil && !worthless(err) {
			s.unavailable(w, r, err)
			return
		}
	}
	s.clearCookie(w, r)
	w.WriteHeader(http.StatusNoContent)
}

// bearer returns the user whom the request's Authorization header proves, or
// nil if it has none.
func (s *Sessions) bearer(r *http.Request) (*Identity, error) {
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		return nil, nil
	}
	scheme, text, ok := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, errNotBearer
	}
	who, err := s.traded(r.Context(), Secret(strings.Trim(text, " ")))
	if err != nil {
		return nil, err
	}
	if who.User == "" {
		return nil, errNoUser
	}
	return who, nil
}

// traded is Ticket for a ticket that is traded for a cookie: of a client token
// nothing is written down, as its holder does not join with it.
func (s *Sessions) traded(ctx context.Context, text Secret) (*Identity, error) {
	if !strings.HasPrefix(string(text), SecretPrefix) {
		return s.Ticket(ctx, text)
	}
	now := time.Now()
	t, err := s.ticketToken(ctx, text, func() (*Token, error) {
		t, _, err := s.find(ctx, text, now)
		return t, err
	})
	if err != nil {
		return nil, err
	}
	return s.identity(t, now), nil
}

func (s *Sessions) reply(w http.ResponseWriter, t *Token) {
	body, err := json.Marshal(sessionReply{
		Client: t.Client, Expires: s.end(t).UTC().Truncate(time.Second), User: t.User, Roles: t.Roles, Realm: t.Realm,
	})
	if err != nil {
		panic("auth: a session reply cannot be written as JSON: " + err.Error()) // a time beyond year 9999: limits exclude it
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n'))
}

// unavailable answers that the store failed, or that the issuer's keys are not
// known, and logs why, unless it is only that the client went away.
func (s *Sessions) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	s.log.LogAttrs(r.Context(), slog.LevelError, "request to /session failed", slog.Any("err", err))
	w.Header().Set("Retry-After", "1")
	problem(w, http.StatusServiceUnavailable, "sessions cannot be read or written at the moment")
}

func unauthorized(w http.ResponseWriter, detail string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="wireroom"`) // RFC 9110 section 11.6.1: a 401 has it
	problem(w, http.StatusUnauthorized, detail)
}

// problem answers with a problem of RFC 9457.
func problem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, detail})
	if err != nil {
		panic("auth: strings cannot be written as JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// What a bad Authorization header is.
var (
	errNotBearer = fmt.Errorf("%w: Authorization must be one header with Bearer and a ticket", ErrInvalid)
	errNoUser    = fmt.Errorf("%w: the client token names no user", ErrInvalid)
)
