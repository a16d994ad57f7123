//go:build linux

package torture_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	jwtSecret   = "a-secret-of-the-issuer-of-32-bytes"
	robotTicket = "a-ticket-that-nobody-could-guess"
)

// An identity is who a client is. The zero value is nobody.
type identity struct {
	cookie string // of a client token
	user   string
	ticket string // of the user
}

// jwtOf returns a JWT of a user.
func jwtOf(user string) string {
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": user, "role": "member", "exp": time.Now().Add(24 * time.Hour).Unix(),
	}).SignedString([]byte(jwtSecret))
	if err != nil {
		panic(err) // the secret is a constant
	}
	return text
}

// session asks a gateway for a client token, or with a JWT and a cookie makes
// the client the user's. It returns the cookie.
func session(ctx context.Context, addr, cookie, jwt string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/session", nil)
	if err != nil {
		return "", err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	if jwt != "" {
		req.Header.Set("Authorization", "Bearer "+jwt)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	for _, c := range resp.Cookies() {
		if c.Name == "wireroom" {
			return c.Name + "=" + c.Value, nil
		}
	}
	return "", fmt.Errorf("POST /session: %s, and no cookie", resp.Status)
}

// prove makes the client who it is, before it connects: one with a token asks
// for it, and one that becomes a user logs in when it has subscribed as nobody.
// Who logs in and gets no answer has lost its token, so nothing is broken until
// that is done.
func (c *client) prove(ctx context.Context, addr string) (err error) {
	if c.acks == "" || c.who.user != "" {
		return nil
	}
	if c.who.cookie == "" {
		c.who.cookie, err = session(ctx, addr, "", "")
	} else if c.becomes != "" && c.conn > 0 && isClosed(c.ready) {
		if c.who.cookie, err = session(ctx, addr, c.who.cookie, jwtOf(c.becomes)); err == nil {
			c.rec.add(entry{Kind: kindReady, Who: c.Name, Note: "it has logged in"})
			c.becomes = ""
			close(c.settled)
		}
	}
	return err
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// An expectation is which last events have not come, to one client or to any of
// those that share a subscription.
type expectation struct {
	mu   sync.Mutex // guards left
	left map[string]bool
}

// came says that an event has come, and reports whether it was the last.
func (x *expectation) came(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.left[id] {
		return false
	}
	delete(x.left, id)
	return len(x.left) == 0
}

// done reports whether all have come.
func (x *expectation) done() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.left) == 0
}
