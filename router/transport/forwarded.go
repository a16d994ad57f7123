package transport

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A ForwardedHeader is how proxies tell in a request who sent it to them.
type ForwardedHeader uint8

const (
	NoForwarded ForwardedHeader = iota // they don't
	XForwarded                         // X-Forwarded-For and X-Forwarded-Proto
	Forwarded                          // Forwarded (RFC 7239): for and proto
)

const (
	headerForwarded = "Forwarded"
	headerFor       = "X-Forwarded-For"
	headerProto     = "X-Forwarded-Proto"
)

// maxHops is how many proxies one behind the other are believed.
const maxHops = 32

// Handler returns a handler that calls next with requests in which RemoteAddr
// is the address of the client, and the scheme of URL that by which the client
// has sent the request ("https" or "http"), as far as trusted proxies tell:
// see [Config.Forwarded]. [Server.Front] sees to that by itself, for requests
// that do not come through the HTTP server; the others should come through
// this.
func (s *Server) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.resolve(r)
		next.ServeHTTP(w, r)
	})
}

// resolve puts into the request who sent it.
func (s *Server) resolve(r *http.Request) {
	r.URL.Scheme = "http" // whatever the request line says
	if r.TLS != nil {
		r.URL.Scheme = "https"
	}
	if s.cfg.Forwarded == NoForwarded {
		return
	}
	from, ok := readNode(r.RemoteAddr)
	if !ok || !s.trusts(from.Addr()) {
		return
	}
	var proto string
	if s.cfg.Forwarded == XForwarded {
		from, proto = s.walkX(r.Header, from)
	} else {
		from, proto = s.walkForwarded(r.Header, from)
	}
	r.RemoteAddr = from.String()
	switch strings.ToLower(proto) {
	case "https", "wss":
		r.URL.Scheme = "https"
	case "http", "ws":
		r.URL.Scheme = "http"
	}
}

// walkX follows X-Forwarded-For from the end, where the nearest proxy has
// written, to the first address that is no proxy's. Beyond that anybody may
// have written anything. What is no address ends the way, too.
func (s *Server) walkX(h http.Header, from netip.AddrPort) (client netip.AddrPort, proto string) {
	protos := strings.Join(h[headerProto], ",")
	parallel := strings.Count(protos, ",") == strings.Count(strings.Join(h[headerFor], ","), ",")
	proto, protos = lastOf(protos)
	hops := 0
	for _, line := range slices.Backward(h[headerFor]) {
		for rest := line; rest != ""; hops++ {
			var text string
			text, rest = lastOf(rest)
			node, ok := readNode(text)
			if !ok || hops == maxHops {
				return from, proto
			}
			if hops > 0 && parallel { // each proxy has added what it saw
				proto, protos = lastOf(protos)
			}
			if from = node; !s.trusts(node.Addr()) {
				return from, proto
			}
		}
	}
	return from, proto
}

// lastOf returns the last element of a list, and what is in front of it.
func lastOf(list string) (last, rest string) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		list, rest = list[i+1:], list[:i]
	}
	return strings.Trim(list, " \t"), rest
}

// walkForwarded is walkX for the header of RFC 7239.
func (s *Server) walkForwarded(h http.Header, from netip.AddrPort) (client netip.AddrPort, proto string) {
	hops := 0
	for _, line := range slices.Backward(h[headerForwarded]) {
		for rest := line; rest != ""; hops++ {
			var element string
			element, rest = lastElement(rest)
			node, by, ok := readElement(element)
			if !ok || hops == maxHops {
				return from, proto
			}
			if from, proto = node, by; !s.trusts(node.Addr()) {
				return from, proto
			}
		}
	}
	return from, proto
}

// lastElement returns the last element of a list in which quoted strings may
// have commas, and what is in front of it. It reads from the end, so that
// quotes that nobody closed, in what somebody else has written, do not hide
// what proxies have added.
func lastElement(list string) (last, rest string) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == '"' && !escaped(list, i):
			quoted = !quoted
		case list[i] == ',' && !quoted:
			return list[i+1:], list[:i]
		}
	}
	return list, ""
}

// escaped reports whether there is an odd number of backslashes before s[i].
func escaped(s string, i int) bool {
	before := strings.TrimRight(s[:i], `\`)
	return (i-len(before))%2 == 1
}

// readElement reads an element of Forwarded. ok is false if it does not say
// where the request comes from, or not as RFC 7239, section 4 has it.
func readElement(element string) (node netip.AddrPort, proto string, ok bool) {
	for rest := element; rest != ""; {
		var pair string
		pair, rest = firstPair(rest)
		name, value, found := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !found {
			return netip.AddrPort{}, "", false
		}
		if len(value) > 0 && value[0] == '"' {
			if value, found = unquote(value); !found {
				return netip.AddrPort{}, "", false
			}
		}
		switch strings.ToLower(name) {
		case "for":
			if ok { // RFC 7239, 4: each parameter once
				return netip.AddrPort{}, "", false
			}
			if node, ok = readNode(value); !ok {
				return netip.AddrPort{}, "", false
			}
		case "proto":
			proto = value
		}
	}
	return node, proto, ok
}

// firstPair returns what stands before the first semicolon that is not in a
// quoted string, and what behind it.
func firstPair(s string) (pair, rest string) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"' && !escaped(s, i):
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unquote returns the text of a quoted string (RFC 9110, 5.6.4).
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' || escaped(s, len(s)-1) {
		return "", false
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s, strings.IndexByte(s, '"') < 0
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return "", false
		case '\\':
			i++ // there is one more: the closing quote is not escaped
		}
		b = append(b, s[i])
	}
	return string(b), true
}

// readNode reads an address, with or without a port, as proxies write it:
// 192.0.2.7, 192.0.2.7:80, 2001:db8::7, [2001:db8::7], [2001:db8::7]:80. Without
// a port, or with one that is hidden (RFC 7239, 6.2), the port is 0.
func readNode(text string) (netip.AddrPort, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), true
	}
	if a, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), true
	}
	host, port, _ := strings.Cut(text, ":")
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if host, port, ok = strings.Cut(inner, "]"); !ok {
			return netip.AddrPort{}, false
		}
		if port != "" {
			if port, ok = strings.CutPrefix(port, ":"); !ok {
				return netip.AddrPort{}, false
			}
		}
	}
	a, err := netip.ParseAddr(host)
	if err != nil || port != "" && port[0] != '_' {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), true
}
