package webhook

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// userAgent is what requests say of who sends them.
const userAgent = "Wireroom"

// post returns a signed request with the body.
func (c *client) post(id string, body []byte, media string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, c.endpoint.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("User-Agent", userAgent)
	sign(r.Header, c.key, id, time.Now(), body)
	return r, nil
}

// An answer is what an endpoint says.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ok reports whether the endpoint has taken the request.
func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 }

// temporary reports whether the same request may succeed later.
func (a *answer) temporary() bool {
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return a.status >= 500
}

// retryAfter returns when the endpoint wants the next attempt, or 0 if it does
// not say.
func (a *answer) retryAfter(now time.Time) time.Duration {
	text := a.header.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
