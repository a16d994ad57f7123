package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/kolo/xmlrpc"
)

// maxAnswer bounds what is read of a server's answer, in bytes.
const maxAnswer = 16 << 20

// An xmlrpcClient calls methods as a web application does. It uses the
// library's encoding and its own HTTP client, since the library's has neither
// a context nor a type for faults.
type xmlrpcClient struct {
	http *http.Client
	url  string
	key  string
}

// newXMLRPCClient returns a client for the URL, which need not name a path.
func newXMLRPCClient(target, key string, timeout time.Duration) (*xmlrpcClient, error) {
	u, err := httpURL("--xmlrpc", target, "/RPC2")
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, usageErrorf("--key: an ingest key is needed with --xmlrpc")
	}
	return &xmlrpcClient{newHTTPClient(timeout), u.String(), key}, nil
}

// call calls the method with the key as its first parameter.
func (c *xmlrpcClient) call(ctx context.Context, result any, method string, params ...any) error {
	req, err := xmlrpc.NewRequest(c.url, method, append([]any{c.key}, params...))
	if err != nil {
		return fmt.Errorf("encode the call of %s: %w", method, err)
	}
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return requestError(ctx, method, c.url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return requestError(ctx, method, c.url, err)
	}
	if resp.StatusCode/100 != 2 {
		return &exitError{code: exitRefused, err: fmt.Errorf("%s: %s answers %s", method, c.url, problemText(resp, body))}
	}
	answer := xmlrpc.Response(body)
	if err := answer.Err(); err != nil {
		if fault, ok := errors.AsType[xmlrpc.FaultError](err); ok {
			return &exitError{code: exitRefused, err: fmt.Errorf("%s: %s (fault %d)", method, printable(fault.String), fault.Code)}
		}
		return fmt.Errorf("%s: expected an XML-RPC answer: %w", method, err)
	}
	if err := answer.Unmarshal(result); err != nil {
		return fmt.Errorf("%s: expected another result: %w", method, err)
	}
	return nil
}

// httpURL checks a URL given by a flag and adds the path if it has none.
func httpURL(flag, target, path string) (*url.URL, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageErrorf("%s: expected a URL such as http://127.0.0.1:8080%s, found %q", flag, path, target)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = path
	}
	return u, nil
}

// newHTTPClient returns a client that gives up on a server that is silent for
// too long.
func newHTTPClient(timeout time.Duration) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: timeout}).DialContext
	return &http.Client{Transport: t, Timeout: timeout}
}

// requestError turns a failed request into what the user can act on.
func requestError(ctx context.Context, what, target string, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // it repeats the method and the URL
	}
	e := &exitError{code: exitUnreachable, err: fmt.Errorf("%s at %s: %w", what, target, err)}
	if errors.Is(err, syscall.ECONNREFUSED) {
		e.hint = hintNotServing
	}
	return e
}

const hintNotServing = `nothing listens there; start the gateway with "wireroom serve", or give another URL`

// xmlrpcValue prepares a JSON value for the library, which writes member names
// without escaping them, null as an empty string, and integers of any size as
// <int>, which has 32 bits.
func xmlrpcValue(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, errors.New("null cannot be sent over XML-RPC; leave the field out")
	case int64:
		if v != int64(int32(v)) {
			return nil, fmt.Errorf("integers beyond 32 bits cannot be sent over XML-RPC, found %d; use --http", v)
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			el, err := xmlrpcValue(v[i])
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			list[i] = el
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, member := range v {
			el, err := xmlrpcValue(member)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			var name strings.Builder
			if err := xml.EscapeText(&name, []byte(k)); err != nil {
				return nil, err
			}
			m[name.String()] = el
		}
		return m, nil
	}
	return v, nil
}
