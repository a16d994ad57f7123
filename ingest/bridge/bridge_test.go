package bridge_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/bridge"
)

const secret = "a-secret-of-the-shop"

var (
	shop    = bridge.Principal{Key: "shop", Realm: "realm1", Role: "poster"}
	visitor = &bridge.Principal{Realm: "realm1", Role: "anonymous"}
)

func config(anonymous *bridge.Principal) bridge.Config {
	c := bridge.DefaultConfig()
	c.Keys = []bridge.Key{
		{Secret: secret, Principal: shop},
		{Secret: "a-secret-of-another", Principal: bridge.Principal{Key: "other", Realm: "realm1", Role: "poster"}},
	}
	c.Anonymous = anonymous
	c.MaxBody = 4096
	return c
}

// A realm remembers what it was asked, and answers by the URI.
type realm struct {
	mu  sync.Mutex
	got []string
}

func (r *realm) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, fmt.Sprintf(format, args...))
}

func (r *realm) asked() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.got, "; ")
}

// answer returns the error that the URI stands for.
func answer(ctx context.Context, uri string) error {
	switch uri {
	case "refused":
		return &bridge.Failure{URI: "wamp.error.not_authorized", Payload: bridge.Payload{Args: []byte(`["not you"]`), KwArgs: []byte(`{"a":1}`)}}
	case "bare":
		return &bridge.Failure{URI: "com.example.error"}
	case "away":
		return &ingest.Error{Kind: ingest.Unavailable, Text: "the realm is closed", Index: -1}
	case "broken":
		return errors.New("open /secret/path: no such file")
	case "slow":
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return nil
}

func (r *realm) Publish(ctx context.Context, who bridge.Principal, p *bridge.Publication) (uint64, error) {
	r.note("%s@%s/%s publishes %s %s %s %s", who.Key, who.Realm, who.Role, p.Topic, p.Payload.Args, p.Payload.KwArgs, p.Options)
	return 1<<53 - 1, answer(ctx, p.Topic)
}

func (r *realm) Call(ctx context.Context, who bridge.Principal, c *bridge.Call) (bridge.Payload, error) {
	r.note("%s@%s/%s calls %s %s %s %s", who.Key, who.Realm, who.Role, c.Procedure, c.Payload.Args, c.Payload.KwArgs, c.Options)
	if c.Procedure == "nothing" {
		return bridge.Payload{}, nil
	}
	return c.Payload, answer(ctx, c.Procedure)
}

// newBridge returns a bridge to a realm, with both handlers under their paths.
func newBridge(c bridge.Config) (*bridge.Bridge, http.Handler, *realm) {
	r := new(realm)
	b := bridge.New(r, r, slog.New(slog.DiscardHandler), c)
	mux := http.NewServeMux()
	mux.Handle("/publish", b.Publisher())
	mux.Handle("/call", b.Caller())
	return b, mux, r
}

// send posts body to target with header fields, name and value in turn.
func send(h http.Handler, target, body string, header ...string) *httptest.ResponseRecorder {
	return sendBy(h, "POST", target, body, header...)
}

func sendBy(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// sign returns the query that signs body.
func sign(key, secret, timestamp, seq, nonce, body string) url.Values {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, key+timestamp+seq+nonce+body)
	return url.Values{
		"key": {key}, "timestamp": {timestamp}, "seq": {seq}, "nonce": {nonce},
		"signature": {base64.URLEncoding.EncodeToString(mac.Sum(nil))},
	}
}

const bearer = "Bearer " + secret

func TestRequests(t *testing.T) {
	const ok = `200 {"id":9007199254740991}`
	tests := []struct {
		name, target, body string
		want               string // status and body, or the beginning of it
		asked              string
	}{
		{"publication", "/publish", `{"topic":"com.example.a","args":[1,"ü"],"kwargs":{"a":null}}`, ok, `shop@realm1/poster publishes com.example.a [1,"ü"] {"a":null} `},
		{"with options", "/publish", ` {"options" : { "exclude": [1, 2] }, "topic":"a"} `, ok, `shop@realm1/poster publishes a   { "exclude": [1, 2] }`},
		{"only keyword arguments", "/publish", `{"topic":"a","kwargs":{"b":1}}`, ok, `shop@realm1/poster publishes a [] {"b":1} `},
		{"nulls", "/publish", `{"topic":"a","args":null,"kwargs":null,"options":null}`, ok, `shop@realm1/poster publishes a   `},
		{"escaped", "/publish", `{"t\u006fpic":"\u0061"}`, ok, `shop@realm1/poster publishes a   `},
		{"call", "/call", `{"procedure":"com.example.add","args":[1, 2]}`, `200 {"args":[1, 2]}`, `shop@realm1/poster calls com.example.add [1, 2]  `},
		{"result by keywords", "/call", `{"procedure":"p","kwargs":{"a":1}}`, `200 {"kwargs":{"a":1}}`, `shop@realm1/poster calls p [] {"a":1} `},
		{"result of both", "/call", `{"procedure":"p","args":[[]],"kwargs":{"a":1}}`, `200 {"args":[[]],"kwargs":{"a":1}}`, `shop@realm1/poster calls p [[]] {"a":1} `},
		{"empty result", "/call", `{"procedure":"p","args":[ ]}`, `200 {"args":[null]}`, `shop@realm1/poster calls p [ ]  `},
		{"no result", "/call", `{"procedure":"nothing"}`, `200 {"args":[null]}`, `shop@realm1/poster calls nothing   `},
		{"with a timeout", "/call", `{"procedure":"p","options":{"timeout":5}}`, `200 {"args":[null]}`, `shop@realm1/poster calls p   {"timeout":5}`},

		{"refused", "/publish", `{"topic":"refused"}`, `200 {"error":"wamp.error.not_authorized","args":["not you"],"kwargs":{"a":1}}`, `shop@realm1/poster publishes refused   `},
		{"failed", "/call", `{"procedure":"bare"}`, `200 {"error":"com.example.error","args":[],"kwargs":{}}`, `shop@realm1/poster calls bare   `},
		{"away", "/call", `{"procedure":"away"}`, `503 {"error":"the realm is closed","args":[],"kwargs":{}}`, `shop@realm1/poster calls away   `},
		{"broken", "/call", `{"procedure":"broken"}`, `500 {"error":"wamp.error.runtime_error","args":["internal error"],"kwargs":{}}`, `shop@realm1/poster calls broken   `},

		{"no topic", "/publish", `{"args":[]}`, `400 {"error":"topic: expected a string, found nothing"`, ""},
		{"no procedure", "/call", `{"topic":"a"}`, `400 {"error":"expected the members procedure, args, kwargs and options, found a member \"topic\""`, ""},
		{"topic of another kind", "/publish", `{"topic":7}`, `400 {"error":"topic: expected a string, found a number"`, ""},
		{"args of another kind", "/publish", `{"topic":"a","args":{}}`, `400 {"error":"args: expected an array, found an object"`, ""},
		{"kwargs of another kind", "/publish", `{"topic":"a","kwargs":[]}`, `400 {"error":"kwargs: expected an object, found an array"`, ""},
		{"options of another kind", "/publish", `{"topic":"a","options":true}`, `400 {"error":"options: expected an object, found a boolean"`, ""},
		{"an array", "/publish", `[]`, `400 {"error":"expected an object with the member topic, found an array"`, ""},
		{"nothing", "/publish", ``, `400 {"error":"the body is not JSON: line 1, column 1: expected a JSON object, found nothing"`, ""},
		{"half of it", "/publish", "{\"topic\":\n\"a\"", `400 {"error":"the body is not JSON: line 2, column 4: the JSON text ends too early"`, ""},
		{"two", "/publish", `{"topic":"a"}{}`, `400 {"error":"expected one JSON text, found more after its end"`, ""},
		{"a member twice", "/publish", `{"topic":"a","topic":"b"}`, `400 {"error":"the body is not JSON: line 1, column 14: two members of an object have the same name"`, ""},
		{"a member of data twice", "/publish", `{"topic":"a","kwargs":{"a":1,"a":2}}`, `400 {"error":"the body is not JSON: `, ""},
		{"no UTF-8", "/publish", "{\"topic\":\"\xff\"}", `400 {"error":"the body is not JSON: `, ""},
		{"too deep", "/publish", `{"topic":"a","args":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, `400 {"error":"args: expected at most 64 levels of arrays and objects, found 65"`, ""},
		{"too long", "/publish", `{"topic":"` + strings.Repeat("a", 4096) + `"}`, `413 {"error":"the request's body may have at most 4096 bytes"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, h, r := newBridge(config(nil))
			w := send(h, tt.target, tt.body, "Content-Type", "application/json", "Authorization", bearer)
			got := fmt.Sprintf("%d %s", w.Code, w.Body)
			if !strings.HasPrefix(got, tt.want) || r.asked() != tt.asked {
				t.Errorf("POST %s %s = %s, and the realm was asked %q; want %s…, and %q", tt.target, tt.body, got, r.asked(), tt.want, tt.asked)
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/json; charset=UTF-8" {
				t.Errorf("Content-Type %q", ct)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	const body = `{"topic":"a"}`
	tests := []struct {
		name      string
		method    string
		header    []string
		anonymous *bridge.Principal
		want      int
		who       string
	}{
		{"PUT", "PUT", []string{"Authorization", bearer}, nil, 200, "shop@"},
		{"GET", "GET", []string{"Authorization", bearer}, nil, 405, ""},
		{"preflight", "OPTIONS", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, visitor, 405, ""},
		{"charset", "POST", []string{"Authorization", bearer, "Content-Type", "application/json; charset=UTF-8"}, nil, 200, "shop@"},
		{"another charset", "POST", []string{"Authorization", bearer, "Content-Type", "application/json; charset=latin1"}, nil, 400, ""},
		{"a form", "POST", []string{"Authorization", bearer, "Content-Type", "application/x-www-form-urlencoded"}, nil, 400, ""},
		{"compressed", "POST", []string{"Authorization", bearer, "Content-Encoding", "gzip"}, nil, 400, ""},
		{"an unknown secret", "POST", []string{"Authorization", "Bearer something-else-that-is-long"}, visitor, 401, ""},
		{"a secret too long", "POST", []string{"Authorization", "Bearer " + strings.Repeat("x", 2000)}, visitor, 401, ""},
		{"another scheme", "POST", []string{"Authorization", "Basic " + secret}, visitor, 401, ""},
		{"nobody, where that is not allowed", "POST", nil, nil, 401, ""},
		{"anonymous", "POST", nil, visitor, 200, "@realm1/anonymous"},
		{"anonymous from a page of ours", "POST", []string{"Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"}, visitor, 200, "@realm1/anonymous"},
		{"anonymous from a page of others", "POST", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, visitor, 403, ""},
		{"anonymous from an old page of others", "POST", []string{"Origin", "https://evil.example"}, visitor, 403, ""},
		{"crossbarconnect", "POST", []string{"Authorization", bearer, "User-Agent", "crossbarconnect-python"}, nil, 202, "shop@"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, h, r := newBridge(config(tt.anonymous))
			w := sendBy(h, tt.method, "/publish", body, tt.header...)
			if w.Code != tt.want || !strings.HasPrefix(r.asked(), tt.who) || (tt.who == "") != (r.asked() == "") {
				t.Errorf("%s with %q = %d %s, by %q; want %d, by %q", tt.method, tt.header, w.Code, w.Body, r.asked(), tt.want, tt.who)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("a page of another origin may read the answer")
			}
		})
	}
}

// The signature is the one that crossbarconnect makes.
func TestSignatureVector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 1, 31, 14, 5, 7, 0, time.UTC)))
		_, h, r := newBridge(config(nil))
		w := send(h, "/publish?timestamp=2026-01-31T14%3A05%3A06.123Z&seq=7&key=shop&nonce=1234567890&signature=mCaMMkqD9MB0s3tEIwOfFp0zQWaw1ZOsOe3DNfYa4zg%3D",
			`{"topic":"com.myapp.topic1","args":["Hello, world"]}`)
		if w.Code != 200 || r.asked() != `shop@realm1/poster publishes com.myapp.topic1 ["Hello, world"]  ` {
			t.Errorf("= %d %s, and the realm was asked %q", w.Code, w.Body, r.asked())
		}
	})
}

func TestSignatures(t *testing.T) {
	const body = `{"topic":"a"}`
	stamp := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05.000Z") }
	good := func() url.Values { return sign("shop", secret, stamp(0), "1", "42", body) }
	with := func(q url.Values, name string, values ...string) url.Values {
		q[name] = values
		return q
	}
	tests := []struct {
		name  string
		query func() url.Values
		body  string
		want  int
	}{
		{"good", good, body, 200},
		{"the other alphabet", func() url.Values {
			q := good()
			return with(q, "signature", strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(q.Get("signature")))
		}, body, 200},
		{"another body", good, `{"topic":"b"}`, 401},
		{"another secret", func() url.Values { return sign("shop", "a-secret-of-another", stamp(0), "1", "42", body) }, body, 401},
		{"another's key", func() url.Values { return with(good(), "key", "other") }, body, 401},
		{"an unknown key", func() url.Values { return sign("nobody", secret, stamp(0), "1", "42", body) }, body, 401},
		{"the decoy's secret is not empty", func() url.Values { return sign("nobody", "", stamp(0), "1", "42", body) }, body, 401},
		{"another seq", func() url.Values { return with(good(), "seq", "2") }, body, 401},
		{"another nonce", func() url.Values { return with(good(), "nonce", "43") }, body, 401},
		{"another time", func() url.Values { return with(good(), "timestamp", stamp(time.Second)) }, body, 401},
		{"a minute ago", func() url.Values { return sign("shop", secret, stamp(-time.Minute), "1", "42", body) }, body, 200},
		{"in a minute", func() url.Values { return sign("shop", secret, stamp(time.Minute), "1", "42", body) }, body, 200},
		{"long ago", func() url.Values { return sign("shop", secret, stamp(-6*time.Minute), "1", "42", body) }, body, 400},
		{"in the future", func() url.Values { return sign("shop", secret, stamp(6*time.Minute), "1", "42", body) }, body, 400},
		{"far away", func() url.Values { return sign("shop", secret, "9999-12-31T23:59:59.999Z", "1", "42", body) }, body, 400},
		{"no time", func() url.Values { return sign("shop", secret, "now", "1", "42", body) }, body, 400},
		{"local time", func() url.Values { return sign("shop", secret, "2026-01-31T14:05:06+01:00", "1", "42", body) }, body, 400},
		{"no seq", func() url.Values { return with(good(), "seq") }, body, 400},
		{"a seq that is no number", func() url.Values { return sign("shop", secret, stamp(0), "x", "42", body) }, body, 400},
		{"a nonce that is no number", func() url.Values { return sign("shop", secret, stamp(0), "1", "-42", body) }, body, 400},
		{"no nonce", func() url.Values { return with(good(), "nonce") }, body, 400},
		{"no timestamp", func() url.Values { return with(good(), "timestamp") }, body, 400},
		{"no signature", func() url.Values { return with(good(), "signature") }, body, 400},
		{"no key", func() url.Values { return with(good(), "key") }, body, 400},
		{"two keys", func() url.Values { return with(good(), "key", "shop", "other") }, body, 400},
		{"half a signature", func() url.Values { return with(good(), "signature", "AAAA") }, body, 400},
		{"no base64", func() url.Values { return with(good(), "signature", "!") }, body, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, h, r := newBridge(config(visitor))
				query := tt.query()
				w := send(h, "/publish?"+query.Encode(), tt.body)
				if w.Code != tt.want || (r.asked() == "") == (tt.want == 200) {
					t.Errorf("?%s = %d %s, and the realm was asked %q; want %d", query.Encode(), w.Code, w.Body, r.asked(), tt.want)
				}
				if s := b.Stats(); s.Requests != 1 || s.Published+s.Refused != 1 {
					t.Errorf("Stats = %+v", s)
				}
			})
		})
	}
}

// A request is carried out once, however it is repeated, for as long as its
// time is good.
func TestReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h, r := newBridge(config(nil))
		const body = `{"topic":"a"}`
		ahead := time.Now().Add(5 * time.Minute).UTC().Format("2006-01-02T15:04:05.000Z")
		query := sign("shop", secret, ahead, "1", "42", body)
		if w := send(h, "/publish?"+query.Encode(), body); w.Code != 200 {
			t.Fatalf("= %d %s", w.Code, w.Body)
		}
		shifted := url.Values{"key": {"shop"}, "timestamp": {ahead}, "seq": {"14"}, "nonce": {"2"}, "signature": query["signature"]}
		for i := range 100 {
			for _, q := range []url.Values{query, shifted} {
				if w := send(h, "/publish?"+q.Encode(), body); w.Code == 200 {
					t.Fatalf("?%s, %v later = %d", q.Encode(), time.Duration(i)*6*time.Second, w.Code)
				}
			}
			if w := send(h, "/call?"+query.Encode(), body); w.Code == 200 {
				t.Fatalf("as a call = %d", w.Code)
			}
			// Others go on, and fill what is remembered.
			other := sign("shop", secret, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "1", "7", body)
			if w := send(h, "/publish?"+other.Encode(), body); w.Code != 200 {
				t.Fatalf("another = %d %s", w.Code, w.Body)
			}
			time.Sleep(6 * time.Second)
		}
		if n := strings.Count(r.asked(), "publishes"); n != 101 {
			t.Errorf("the realm was asked %d times, want 101", n)
		}
	})
}

// A call that takes too long is given up, and so is one whose client has gone.
func TestCallEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h, _ := newBridge(config(visitor))
		begin := time.Now()
		w := send(h, "/call", `{"procedure":"slow"}`)
		if want := `{"error":"wamp.error.timeout","args":["the call took too long"],"kwargs":{}}`; w.Code != 200 || w.Body.String() != want || time.Since(begin) != time.Minute {
			t.Errorf("= %d %s after %v, want %s after a minute", w.Code, w.Body, time.Since(begin), want)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", "/call", strings.NewReader(`{"procedure":"slow"}`))
		gone := httptest.NewRecorder()
		begin = time.Now()
		h.ServeHTTP(gone, r)
		if time.Since(begin) != time.Second {
			t.Errorf("a call whose client has gone took %v", time.Since(begin))
		}
	})
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c := config(nil)
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("config", "keys", c.Keys, "secret", c.Keys[0].Secret)
	fmt.Fprintf(&out, "%v %+v %#v %s", c, c, c, c.Keys[0].Secret)
	if strings.Contains(out.String(), secret) {
		t.Errorf("a secret is printed: %s", out.String())
	}
}
