package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxRedirects   = 3
	connectTimeout = 10 * time.Second
	maxHeader      = 64 << 10

	// maxIgnored is how much of an answer is read that nobody looks at.
	maxIgnored = 64 << 10
)

// A client sends requests to one endpoint.
type client struct {
	endpoint Endpoint
	key      []byte // nil: requests are not signed
	http     *http.Client
	dialer   *net.Dialer
}

// newClient returns a client of a valid endpoint.
func newClient(e Endpoint) *client {
	c := &client{endpoint: e, dialer: &net.Dialer{Timeout: connectTimeout, Control: guard{e.Allow}.check}}
	if e.Secret != "" {
		c.key, _ = e.Secret.key()
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:            c.dialer.DialContext, // and no Proxy
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connectTimeout,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // a small answer must not become a large one
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        90 * time.Second,
		},
		CheckRedirect: checkRedirect,
	}
	return c
}

// checkRedirect follows a redirect that asks for the same request elsewhere.
// Others would make a GET without its body of it.
func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("expected at most %d redirects, found more", maxRedirects)
	case r.Method != via[0].Method || r.Response.StatusCode != http.StatusTemporaryRedirect && r.Response.StatusCode != http.StatusPermanentRedirect:
		return http.ErrUseLastResponse
	case r.URL.Scheme != "https" && via[0].URL.Scheme == "https":
		return errors.New("a redirect from https to http is not followed")
	}
	r.Header.Del("Referer") // which has the address that redirects, query and all
	return nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends a request within the endpoint's time, and reads at most limit bytes
// of the answer. A longer one is an error.
func (c *client) do(ctx context.Context, r *http.Request, limit int64) (*answer, error) {
	return c.exchange(ctx, r, func(ctx context.Context, a *answer, body io.Reader) (err error) {
		if a.body, err = io.ReadAll(io.LimitReader(body, limit+1)); err != nil {
			return because(ctx, err)
		}
		if int64(len(a.body)) > limit {
			return fmt.Errorf("expected an answer of at most %d bytes, found more", limit)
		}
		return nil
	})
}

// tell sends a request within the endpoint's time. The answer has no body: what
// the endpoint says besides the status changes nothing, and neither does that it
// is long or breaks off. A little of it is read, so that the connection can be
// used again.
func (c *client) tell(ctx context.Context, r *http.Request) (*answer, error) {
	return c.exchange(ctx, r, func(_ context.Context, _ *answer, body io.Reader) error {
		_, _ = io.CopyN(io.Discard, body, maxIgnored)
		return nil
	})
}

// exchange sends a request within the endpoint's time, and has read add what it
// wants of the body to the answer.
func (c *client) exchange(ctx context.Context, r *http.Request, read func(ctx context.Context, a *answer, body io.Reader) error) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.endpoint.Timeout, errSlow)
	defer cancel()
	resp, err := c.http.Do(r.WithContext(ctx))
	if err != nil {
		return nil, because(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	if err := read(ctx, a, resp.Body); err != nil {
		return nil, err
	}
	return a, nil
}

var errSlow = errors.New("the endpoint took too long")

// because returns err, or why the context has ended it. It leaves out the URL,
// which may hold what nobody should find in a log.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
