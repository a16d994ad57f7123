package transport

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// maxPlainHead is how long the head of a request may be that is parsed here.
const maxPlainHead = 8 << 10

// maxPlainFields is how many header fields such a request may have.
const maxPlainFields = 64

// notPlain are header fields whose meaning is left to package net/http: with
// them a request has a body, an answer of its own, or is changed.
var notPlain = map[string]bool{
	"Content-Length":    true,
	"Expect":            true,
	"Http2-Settings":    true,
	"Pragma":            true, // unless there is a Cache-Control
	"Te":                true,
	"Trailer":           true,
	"Transfer-Encoding": true,
}

// canonical has the names that clients write in another way than [http.Header]
// does, so that they need not be made anew for each request.
var canonical = map[string]string{
	"Sec-WebSocket-Extensions": headerExtensions,
	"Sec-WebSocket-Key":        headerKey,
	"Sec-WebSocket-Protocol":   headerProtocol,
	"Sec-WebSocket-Version":    headerVersion,
}

var endOfHead = []byte("\r\n\r\n")

// parsePlain parses the request that b begins with, if it is whole and the
// plainest kind of request to open a WebSocket on path: GET, HTTP/1.1, one
// Host, header fields of printable ASCII, no body, nothing unusual. It returns
// the request as [http.ReadRequest] does, and its length; or nil if the
// request is any other, and somebody else has to judge it.
//
// It is strict, so that nobody can disagree with it about where the request
// ends or what it says: whatever it accepts, net/http parses alike (FuzzPlain).
func parsePlain(b []byte, path string) (r *http.Request, size int) {
	end := bytes.Index(b[:min(len(b), maxPlainHead)], endOfHead)
	if end < 0 {
		return nil, 0
	}
	head := string(b[:end])
	line, rest, _ := strings.Cut(head, "\r\n")
	target, ok := strings.CutPrefix(line, "GET ")
	if !ok {
		return nil, 0
	}
	if target, ok = strings.CutSuffix(target, " HTTP/1.1"); !ok {
		return nil, 0
	}
	u := plainURL(target, path)
	if u == nil {
		return nil, 0
	}
	header, host := plainHeader(rest)
	if header == nil {
		return nil, 0
	}
	return &http.Request{
		Method:     http.MethodGet,
		URL:        u,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
		Body:       http.NoBody,
		Close:      hasToken(header, "Connection", "close"),
		Host:       host,
		RequestURI: target,
	}, end + len(endOfHead)
}

// plainURL returns the URL that target stands for if it is path, with or
// without a query, and nil otherwise.
func plainURL(target, path string) *url.URL {
	rest, ok := strings.CutPrefix(target, path)
	if !ok {
		return nil
	}
	if rest == "" {
		return &url.URL{Path: path}
	}
	if rest[0] != '?' || len(rest) == 1 {
		return nil
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '?' && i > 0 {
			return nil
		}
	}
	return &url.URL{Path: path, RawQuery: rest[1:]}
}

// plainHeader parses the lines after the first one. It returns them without
// the Host header, which it returns by itself; or nil if they are not plain.
func plainHeader(lines string) (header http.Header, host string) {
	count := strings.Count(lines, "\r\n") + 1
	if count > maxPlainFields {
		return nil, ""
	}
	header = make(http.Header, count)
	values := make([]string, 0, count)
	pragma := false
	for line := range strings.SplitSeq(lines, "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !plainName(name) || !plainValue(value) {
			return nil, ""
		}
		if known := canonical[name]; known != "" {
			name = known
		} else {
			name = textproto.CanonicalMIMEHeaderKey(name)
		}
		value = strings.Trim(value, " \t")
		switch {
		case name == "Host":
			if host != "" || !plainHost(value) {
				return nil, ""
			}
			host = value
			continue
		case name == "Pragma":
			pragma = true
		case notPlain[name]:
			return nil, ""
		}
		if old := header[name]; old != nil {
			header[name] = append(old, value)
			continue
		}
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if host == "" || pragma && header["Cache-Control"] == nil {
		return nil, ""
	}
	return header, host
}

// plainName reports whether s is the name of a header field, of letters,
// digits and hyphens.
func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return s != ""
}

// plainValue reports whether s is printable ASCII, spaces and tabs.
func plainValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c >= 0x7f) && c != '\t' {
			return false
		}
	}
	return true
}

// plainHost reports whether s is a host, with or without a port, of the
// characters that names and addresses have.
func plainHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._:[]", c) >= 0) {
			return false
		}
	}
	return s != ""
}
