package webhook

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// described is a request as a caller of the form [Request] describes it.
type described struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Body    string              `json:"body"`
	Headers map[string][]string `json:"headers"`
	Params  map[string]string   `json:"params"`
}

// badArgument returns the failure of a caller that described no request.
func badArgument(text string) *Failure {
	args, _ := json.Marshal([]string{text}) // strings never fail
	return &Failure{URI: "wamp.error.invalid_argument", Result: Result{Args: args}}
}

// anyRequest returns the request that the caller describes, at the endpoint's
// URL or below it.
func (c *client) anyRequest(inv *Invocation) (*http.Request, error) {
	var d described
	if err := json.Unmarshal(orElse(inv.KwArgs, "{}"), &d); err != nil {
		return nil, badArgument("expected the keyword arguments method, url and body (strings), headers (lists of strings, by name) and params (strings, by name), found something else")
	}
	if d.Method == "" {
		return nil, badArgument("method: expected a method of HTTP, found none")
	}
	at, err := below(c.endpoint.URL, d.URL, d.Params)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(d.Method, at, strings.NewReader(d.Body))
	if err != nil {
		return nil, badArgument("method: expected a method of HTTP, found something else")
	}
	for name, values := range d.Headers {
		if own(name) {
			return nil, badArgument("headers: " + name + " is not for the caller to set")
		}
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", userAgent)
	}
	sign(r.Header, c.key, inv.ID, time.Now(), []byte(d.Body))
	return r, nil
}

// own reports whether a header is the connection's affair, or ours. Servers that
// hand requests on as CGI does take underscores for hyphens.
func own(name string) bool {
	switch name = strings.ReplaceAll(strings.ToLower(name), "_", "-"); name {
	case "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "expect",
		"proxy-authorization", "proxy-authenticate", "proxy-connection":
		return true
	}
	return strings.HasPrefix(name, "webhook-")
}

// below returns the URL that ref is relative to base, with more parameters. It
// may not lead out of base.
func below(base, ref string, params map[string]string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", badArgument("url: the endpoint has none")
	}
	rel, err := url.Parse(ref)
	if err != nil {
		return "", badArgument("url: expected a relative URL, found something else")
	}
	to := from.ResolveReference(rel)
	within := to.Path == from.Path || strings.HasPrefix(to.Path, from.Path[:strings.LastIndexByte(from.Path, '/')+1])
	if to.Scheme != from.Scheme || to.Host != from.Host || to.User != nil || !within || climbs(to.Path) {
		return "", badArgument("url: expected a URL below that of the endpoint, found another one")
	}
	if len(params) > 0 {
		q := to.Query()
		for name, v := range params {
			q.Set(name, v)
		}
		to.RawQuery = q.Encode()
	}
	to.Fragment = ""
	return to.String(), nil
}

// climbs reports whether a path, escapes resolved, may lead out of what it
// begins with. Some servers take what stands behind a semicolon for parameters
// of the segment, and go up at "..;x".
func climbs(path string) bool {
	return strings.Contains(path, `\`) || slices.ContainsFunc(strings.Split(path, "/"), func(segment string) bool {
		name, _, _ := strings.Cut(segment, ";")
		return name == ".."
	})
}

// resultOf returns the endpoint's answer, whatever its status, as the only
// argument of the result.
func resultOf(a *answer) Result {
	code, _ := json.Marshal(a.status)
	headers, _ := json.Marshal(a.header)
	content, _ := json.Marshal(strings.ToValidUTF8(string(a.body), "\uFFFD")) // a string never fails
	var o object
	o.raw("code", code)
	o.raw("content", content)
	o.raw("headers", headers)
	return Result{Args: append(append([]byte("["), o.end()...), ']')}
}
