package transport

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// An origin is one entry of [Config.Origins].
type origin struct {
	any       bool   // "*"
	scheme    string // lower case; "" for "null"
	host      string // lower case, without port
	port      string // never empty, unless null
	subdomain bool   // host stands for every name that ends in "." + host
}

// parseOrigin reads an entry of an allow list.
func parseOrigin(s string) (origin, error) {
	switch s {
	case "*":
		return origin{any: true}, nil
	case "null":
		return origin{}, nil
	}
	plain := strings.Replace(s, "://*.", "://", 1)
	o, ok := readOrigin(plain)
	if !ok || strings.Contains(plain, "*") || o.host[0] == '.' {
		return origin{}, fmt.Errorf(`must be "*", "null", or scheme://host or scheme://host:port, where host may begin with "*.", not %q`, s)
	}
	o.subdomain = plain != s
	return o, nil
}

// readOrigin reads the value of an Origin header (RFC 6454, 6.1).
func readOrigin(s string) (o origin, ok bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Hostname() == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		return origin{}, false
	}
	o = origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: u.Port()}
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	return o, true
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	default:
		return "0"
	}
}

// matches reports whether a page of origin p is meant by o.
func (o origin) matches(p origin) bool {
	switch {
	case o.any:
		return true
	case o.scheme != p.scheme || o.port != p.port:
		return false
	case o.subdomain:
		return strings.HasSuffix(p.host, "."+o.host)
	default:
		return o.host == p.host
	}
}

// checkOrigin returns "" if the page that sent r may connect, and otherwise
// what to tell it. Without an allow list, the page must come from the host
// that r asks for: its scheme cannot be compared, because TLS may end at a
// proxy.
func checkOrigin(r *http.Request, allowed []origin) string {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return ""
	}
	header := values[0]
	page, ok := readOrigin(header)
	if len(values) > 1 || !ok && header != "null" {
		return fmt.Sprintf("the Origin header must be one scheme://host, not %q", values)
	}
	for _, o := range allowed {
		if o.matches(page) {
			return ""
		}
	}
	if len(allowed) > 0 {
		return fmt.Sprintf("pages of %s may not connect: the origin is not on the list of allowed origins", header)
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.Trim(r.Host, "[]"), defaultPort(page.scheme)
	}
	if ok && page.host == strings.ToLower(host) && page.port == port {
		return ""
	}
	return fmt.Sprintf("pages of %s may not connect: only those of %s may, as no allowed origins are configured", header, r.Host)
}
