package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gammazero/nexus/v3/client"
	"github.com/gammazero/nexus/v3/transport"
	"github.com/gammazero/nexus/v3/transport/serialize"

	"github.com/wireroom/wireroom/auth"
)

// A visitor is a browser, which sends its cookies along with every request.
type visitor struct {
	t    *testing.T
	p    *program
	jar  http.CookieJar
	http *http.Client
}

func newVisitor(t *testing.T, p *program) *visitor {
	t.Helper()
	jar := must(cookiejar.New(nil))(t)
	v := &visitor{t, p, jar, &http.Client{Jar: jar, Timeout: patience}}
	t.Cleanup(v.http.CloseIdleConnections)
	return v
}

// session asks /session and returns the status and the client id.
func (v *visitor) session(method string) (status int, clientID string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.p.base+"/session", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Origin", v.p.base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	var reply struct{ Client string }
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &reply); err != nil {
			v.t.Fatalf("%s /session answers %q: %v", method, body, err)
		}
	}
	return resp.StatusCode, reply.Client
}

// cookies returns what the browser has for the gateway.
func (v *visitor) cookies() (*url.URL, []*http.Cookie) {
	v.t.Helper()
	u, err := url.Parse(v.p.base)
	if err != nil {
		v.t.Fatal(err)
	}
	return u, v.jar.Cookies(u)
}

// join opens a WebSocket and joins. It returns the details of WELCOME.
func (v *visitor) join() map[string]any {
	v.t.Helper()
	quiet := log.New(io.Discard, "", 0)
	peer, err := transport.ConnectWebsocketPeer(v.t.Context(), v.p.ws(), serialize.JSON, nil, quiet, &transport.WebsocketConfig{Jar: v.jar})
	if err != nil {
		v.t.Fatal(err)
	}
	c, err := client.NewClient(peer, client.Config{Realm: "realm1", ResponseTimeout: patience, Logger: quiet})
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.RealmDetails()
}

// The cookie of /session says who joins, until it is given back.
func TestCookieJoins(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	v := newVisitor(t, p)
	if d := v.join(); d["authmethod"] != "anonymous" || d["authrole"] != "anonymous" {
		t.Errorf("without a cookie: joined as %v, want anonymous", d)
	}

	status, id := v.session(http.MethodPost)
	if status != http.StatusOK || id == "" {
		t.Fatalf("POST /session: status %d, client %q, want 200 and one", status, id)
	}
	for range 2 { // it is the same client whenever it comes back
		d := v.join()
		if d["authmethod"] != "cookie" || d["authid"] != id || d["authrole"] != "anonymous" || d["authprovider"] != "session" {
			t.Errorf("with the cookie of the client %s: joined as %v", id, d)
		}
	}

	u, old := v.cookies()
	if status, _ := v.session(http.MethodDelete); status != http.StatusNoContent {
		t.Fatalf("DELETE /session: status %d, want 204", status)
	}
	if _, left := v.cookies(); len(left) != 0 {
		t.Errorf("after DELETE the browser keeps the cookies %v", left)
	}
	thief := newVisitor(t, p)
	thief.jar.SetCookies(u, slices.Clone(old))
	if _, got := thief.cookies(); len(got) != 1 {
		t.Fatalf("the old cookies are %v, want one", got)
	}
	if d := thief.join(); d["authmethod"] != "anonymous" || d["authid"] == id {
		t.Errorf("with the cookie that was given back: joined as %v, want anonymous", d)
	}
}

// What a web application gets by session.token lets its user in.
func TestUserTokenAsTicket(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	rpc := must(newXMLRPCClient(p.base, testKey, patience))(t)
	defer rpc.http.CloseIdleConnections()
	var token string
	if err := rpc.call(t.Context(), &token, "session.token", "ada", []string{"member"}); err != nil {
		t.Fatal(err)
	}
	d := join(t, p, token).RealmDetails()
	if d["authmethod"] != "ticket" || d["authid"] != "ada" || d["authrole"] != "member" || d["authprovider"] != "session" {
		t.Errorf("joined as %v, want ada, a member, by ticket", d)
	}
}

// A ticket that was good once is refused in words that say so.
func TestExpiredTicket(t *testing.T) {
	p := startProgram(t, writeConfig(t, testConfig))
	expired := must(auth.MintJWT("HS256", "a-secret-that-is-only-for-these-tests", auth.Claims{
		Subject: "ada", Roles: []string{"member"}, Expires: time.Now().Add(-time.Hour),
	}))(t)
	f := wampFlags{url: p.ws(), realm: "realm1", serializer: "json", ticket: string(expired), timeout: patience}
	c, err := f.connect(t.Context())
	if err == nil {
		_ = c.Close()
		t.Fatal("an expired ticket lets its user in")
	}
	if got, want := err.Error(), "ticket expired (wamp.error.authentication_failed)"; !strings.Contains(got, want) || exitCode(err) != exitRefused {
		t.Errorf("an expired ticket: %s, code %d; want %s, code %d", got, exitCode(err), want, exitRefused)
	}
}
