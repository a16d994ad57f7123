package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Origins says which web pages may talk to the gateway. Browsers let any page
// open a WebSocket to any host and send the host's cookies along, so it is the
// gateway that has to look at the Origin header. Programs send none, and are
// not restricted.
//
// The zero value and a nil pointer allow the gateway's own origin.
type Origins struct {
	any      bool
	exact    map[string]bool
	suffixes []originSuffix
}

type originSuffix struct{ scheme, suffix string } // "https", ".example.com:8443"

// maxOrigin bounds what is looked at, in bytes.
const maxOrigin = 512

// NewOrigins returns the set of origins in list, each of the form
// scheme://host[:port], scheme://*.host[:port] (all names under host, but not
// host itself), or "*".
//
// "*" lets pages of every origin connect, but trusts none ([Origins.Trusts]):
// they are anonymous whatever cookie they bring.
func NewOrigins(list []string) (*Origins, error) {
	o := &Origins{exact: make(map[string]bool, len(list))}
	for _, text := range list {
		if text == "*" {
			o.any = true
			continue
		}
		scheme, host, err := splitOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("origin %q: %w", text, err)
		}
		if rest, ok := strings.CutPrefix(host, "*."); ok && !strings.Contains(rest, "*") {
			o.suffixes = append(o.suffixes, originSuffix{scheme, "." + rest})
			continue
		}
		if strings.Contains(host, "*") {
			return nil, fmt.Errorf("origin %q: * must stand for the whole first part of the host", text)
		}
		o.exact[scheme+"://"+host] = true
	}
	return o, nil
}

// splitOrigin returns scheme and host[:port] in lower case and without the
// scheme's default port.
func splitOrigin(s string) (scheme, host string, err error) {
	if len(s) > maxOrigin {
		return "", "", fmt.Errorf("has %d bytes, at most %d are allowed", len(s), maxOrigin)
	}
	scheme, host, ok := strings.Cut(strings.ToLower(s), "://")
	if !ok || scheme == "" || host == "" || strings.ContainsAny(host, "/?#@ \t") {
		return "", "", errors.New("must be scheme://host or scheme://host:port and nothing more")
	}
	return scheme, trimPort(scheme, host), nil
}

func trimPort(scheme, host string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// Allows reports whether the page that made the request, if it was one, may
// connect to the gateway. Where TLS ends in front of it, ask [Sessions.Allows].
func (o *Origins) Allows(r *http.Request) bool { return o.allows(r, false) }

// allows is Allows; secure is as for trusts.
func (o *Origins) allows(r *http.Request, secure bool) bool {
	return o != nil && o.any || o.trusts(r, secure)
}

// Trusts reports whether the page that made the request, if it was one, may
// act for the client whose cookie comes along: it is of the gateway's own
// origin or of one that is listed by name. What the browser itself says of the
// two origins counts for more than that their hosts look alike.
func (o *Origins) Trusts(r *http.Request) bool { return o.trusts(r, false) }

// trusts is Trusts. With secure, TLS ends in front of the gateway, and its own
// origin is one of https.
func (o *Origins) trusts(r *http.Request, secure bool) bool {
	origin := r.Header.Get("Origin")
	// A page cannot set Sec-Fetch-Site. It tells the same origin even where
	// a proxy in front of the gateway has replaced the Host header.
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		// Browsers send Origin with every WebSocket handshake, POST and
		// DELETE. Without either header this is a program.
		return origin == "" || sameOrigin(r, origin, secure) || o.listed(origin)
	}
	return o.listed(origin)
}

func sameOrigin(r *http.Request, origin string, secure bool) bool {
	scheme, host, err := splitOrigin(origin)
	if err != nil || (secure || overTLS(r)) && scheme != "https" {
		return false
	}
	return host == trimPort(scheme, strings.ToLower(r.Host))
}

// overTLS reports whether the client has sent the request by TLS: by the scheme
// of its URL, if somebody who knows what is in front of the gateway has put one
// there, and otherwise by its connection.
func overTLS(r *http.Request) bool {
	switch r.URL.Scheme {
	case "https":
		return true
	case "http":
		return false
	}
	return r.TLS != nil
}

func (o *Origins) listed(origin string) bool {
	if o == nil {
		return false
	}
	scheme, host, err := splitOrigin(origin)
	if err != nil {
		return false
	}
	if o.exact[scheme+"://"+host] {
		return true
	}
	for _, s := range o.suffixes {
		if s.scheme == scheme && len(host) > len(s.suffix) && strings.HasSuffix(host, s.suffix) {
			return true
		}
	}
	return false
}

// allowCORS lets the page of a listed origin read the reply.
func (o *Origins) allowCORS(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !o.listed(origin) {
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Max-Age", "600")
	}
}
