package router

import (
	"bytes"
	"crypto/rand"
	"maps"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// welcomes encodes the Details of WELCOME, which are the same for all sessions
// of a role but for the authid: they are encoded once, and cut at the place
// where it belongs. The zero value is ready for use.
type welcomes struct {
	mu    sync.RWMutex // guards the following
	known map[welcomeKey]welcomeParts
}

// maxWelcomes bounds how many are remembered. Who has more roles pays for
// encoding.
const maxWelcomes = 256

// A welcomeKey is what the Details of WELCOME depend on in a realm, besides
// the authid and authextra.
type welcomeKey struct {
	serializer             wamp.Serializer
	role, method, provider string
}

// welcomeParts are what stands before and after the authid.
type welcomeParts struct{ head, tail []byte }

// append appends the Details of WELCOME for g to b.
func (w *welcomes) append(b []byte, ser wamp.Serializer, realm wamp.URI, g *Grant) []byte {
	if g.Extra != nil || !g.Expires.IsZero() {
		return append(b, encodeWelcome(ser, realm, g, g.AuthID, nil)...)
	}
	key := welcomeKey{ser, g.AuthRole, g.AuthMethod, g.Provider}
	w.mu.RLock()
	parts, ok := w.known[key]
	w.mu.RUnlock()
	if !ok {
		if parts, ok = cutWelcome(ser, realm, g); !ok {
			return append(b, encodeWelcome(ser, realm, g, g.AuthID, nil)...)
		}
		w.remember(key, parts)
	}
	b = append(b, parts.head...)
	b, _ = wamp.AppendValue(b, ser, g.AuthID) // a string never fails
	return append(b, parts.tail...)
}

func (w *welcomes) remember(key welcomeKey, parts welcomeParts) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil {
		w.known = make(map[welcomeKey]welcomeParts)
	}
	if len(w.known) < maxWelcomes {
		w.known[key] = parts
	}
}

// cutWelcome encodes the Details with a placeholder for the authid, which it
// cuts out. It reports false if the placeholder does not stand there exactly
// once.
func cutWelcome(ser wamp.Serializer, realm wamp.URI, g *Grant) (welcomeParts, bool) {
	holder := rand.Text()
	mark, _ := wamp.AppendValue(nil, ser, holder) // a string never fails
	whole := encodeWelcome(ser, realm, g, holder, nil)
	head, tail, ok := bytes.Cut(whole, mark)
	if !ok || bytes.Contains(tail, mark) {
		return welcomeParts{}, false
	}
	return welcomeParts{bytes.Clone(head), bytes.Clone(tail)}, true
}

// encodeWelcome encodes the Details with this authid and more.
func encodeWelcome(ser wamp.Serializer, realm wamp.URI, g *Grant, authid string, more map[string]any) wamp.Encoded {
	details := map[string]any{
		"realm":      string(realm),
		"authid":     authid,
		"authrole":   g.AuthRole,
		"authmethod": g.AuthMethod,
		"roles":      routerRoles,
	}
	if !g.Expires.IsZero() {
		details["_expires"] = g.Expires.UTC().Format(time.RFC3339)
	}
	maps.Copy(details, more)
	if g.Provider != "" {
		details["authprovider"] = g.Provider
	}
	if g.Extra == nil {
		b, _ := wamp.AppendValue(nil, ser, details) // strings and bools never fail
		return b
	}
	details["authextra"] = g.Extra
	b, err := wamp.AppendValue(nil, ser, details)
	if err != nil { // what an authenticator made up; the peer can do without
		details["authextra"] = nil
		b, _ = wamp.AppendValue(nil, ser, details)
	}
	return b
}
