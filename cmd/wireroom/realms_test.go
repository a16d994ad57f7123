package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gammazero/nexus/v3/wamp"
)

// realmsConfig has two realms with classes and roles of the same names that
// mean different things.
const realmsConfig = `
listen: {http: 127.0.0.1:0}
store: file:wireroom.db
auth:
  jwt: {secret: a-secret-that-is-only-for-these-tests}
realms:
  shop.example:
    roles:
      anonymous: {subscribe: ["*"], publish: ["demo.*"], call: ["wireroom.*"]}
      member: {subscribe: ["*"], publish: ["*"], call: ["*"], register: ["app.*"]}
    classes:
      demo.message: {access: public, fields: {text: {type: string, required: true}}, retain: {events: 100}}
      demo.other: {access: public}
  school.example:
    roles:
      anonymous: {subscribe: ["*"], call: ["wireroom.*"]}
      member: {subscribe: ["*"]}
    classes:
      demo.message: {access: public, fields: {n: {type: int, required: true}}, retain: {events: 100}}
ingest:
  keys:
    - {name: shop, secret: key-for-everything, classes: ["*"], tokens: [member]}
    - {name: school, secret: key-for-the-school, classes: ["*"], tokens: [member], realm: school.example}
timeouts: {shutdown: 5s, goodbye: 1s}
`

const schoolKey = "key-for-the-school"

// swapped is the configuration with its realms in the other order.
func swapped(t *testing.T, text string) string {
	t.Helper()
	before, rest, _ := strings.Cut(text, "  shop.example:\n")
	shop, rest, _ := strings.Cut(rest, "  school.example:\n")
	school, after, ok := strings.Cut(rest, "ingest:\n")
	if !ok {
		t.Fatal("the configuration has changed")
	}
	after = strings.Replace(after, "name: shop,", "name: shop, realm: shop.example,", 1)
	return before + "  school.example:\n" + school + "  shop.example:\n" + shop + "ingest:\n" + after
}

// post posts an event with a key by XML-RPC or HTTP.
func post(t *testing.T, p *program, key, class string, data map[string]any) error {
	t.Helper()
	byXMLRPC := must(newXMLRPCPublisher(p.base, key, patience))(t)
	defer byXMLRPC.close()
	_, err := byXMLRPC.publish(t.Context(), publication{topic: class, value: data})
	byHTTP := must(newHTTPPublisher(p.base, key, patience))(t)
	defer byHTTP.close()
	if _, errHTTP := byHTTP.publish(t.Context(), publication{topic: class, value: data}); (err == nil) != (errHTTP == nil) {
		t.Errorf("post %s with the key %s: XML-RPC says %v, HTTP says %v", class, key, err, errHTTP)
	}
	return err
}

// Realms are apart: what is posted or published in one is heard there alone,
// although class, topic and role have the same names.
func TestRealmsAreApart(t *testing.T) {
	file := writeConfig(t, realmsConfig)
	p := startProgram(t, file)
	shop, school := joinRealm(t, p, "shop.example", ""), joinRealm(t, p, "school.example", "")
	inShop, inSchool := shop.listen(t, "demo.message", nil), school.listen(t, "demo.message", nil)
	plainShop, plainSchool := shop.listen(t, "demo.plain", nil), school.listen(t, "demo.plain", nil)

	if err := post(t, p, testKey, "demo.message", map[string]any{"text": "for the shop"}); err != nil {
		t.Error(err)
	}
	if err := post(t, p, schoolKey, "demo.message", map[string]any{"n": 7}); err != nil {
		t.Error(err)
	}
	if err := post(t, p, schoolKey, "demo.message", map[string]any{"text": "for the shop"}); err == nil || !strings.Contains(err.Error(), "n") {
		t.Errorf("the school takes an event of the shop: %v", err)
	}
	if err := post(t, p, schoolKey, "demo.other", map[string]any{}); err == nil {
		t.Error("the school takes an event of a class that only the shop has")
	}
	for i := range 2 { // by XML-RPC and by HTTP
		e := next(t, inShop)
		if e.ArgumentsKw["text"] != "for the shop" || offset(e) != int64(i+1) {
			t.Errorf("the shop hears %v at %v", e.ArgumentsKw, e.Details)
		}
		e = next(t, inSchool)
		if n, _ := wamp.AsInt64(e.ArgumentsKw["n"]); n != 7 || offset(e) != int64(i+1) {
			t.Errorf("the school hears %v at %v", e.ArgumentsKw, e.Details)
		}
	}

	// A plain topic. The school's anonymous clients may not publish.
	if err := shop.Publish("demo.plain", wamp.Dict{"acknowledge": true, "exclude_me": false}, wamp.List{"shop"}, nil); err != nil {
		t.Error(err)
	}
	if err := school.Publish("demo.plain", wamp.Dict{"acknowledge": true}, wamp.List{"school"}, nil); err == nil {
		t.Error("a role of the school may do what the role of that name may in the shop")
	}
	if e := next(t, plainShop); e.Arguments[0] != "shop" {
		t.Errorf("the shop hears %v", e.Arguments)
	}
	if err := post(t, p, schoolKey, "demo.message", map[string]any{"n": 8}); err != nil {
		t.Error(err)
	}
	next(t, inSchool) // and so whatever was to come has come
	select {
	case e := <-plainSchool:
		t.Errorf("the school hears %v of the shop", e.Arguments)
	default:
	}

	// The gateway's own procedures know the classes of their realm.
	for c, want := range map[*wampClient]int{shop: 2, school: 1} {
		got, err := c.Call(t.Context(), "wireroom.class.list", nil, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := wamp.AsList(got.ArgumentsKw["classes"]); len(list) != want {
			t.Errorf("%d classes, want %d: %v", len(list), want, list)
		}
	}
	p.stop()

	// The logs stay where they belong, in whatever order the realms stand.
	if err := os.WriteFile(file, []byte(swapped(t, realmsConfig)), 0o600); err != nil {
		t.Fatal(err)
	}
	p = startProgram(t, file)
	shop, school = joinRealm(t, p, "shop.example", ""), joinRealm(t, p, "school.example", "")
	inShop, inSchool = shop.listen(t, "demo.message", wamp.Dict{"_last": 10}), school.listen(t, "demo.message", wamp.Dict{"_last": 10})
	for range 2 {
		if e := next(t, inShop); e.ArgumentsKw["text"] != "for the shop" {
			t.Errorf("the log of the shop has %v", e.ArgumentsKw)
		}
	}
	for range 4 {
		if e := next(t, inSchool); e.ArgumentsKw["n"] == nil {
			t.Errorf("the log of the school has %v", e.ArgumentsKw)
		}
	}
}

func offset(e *wamp.Event) int64 {
	n, _ := wamp.AsInt64(e.Details["_offset"])
	return n
}

// A store from before there were several realms stays readable: its logs are
// those of the realm that is first in the file, and no other's.
func TestStoreOfOneRealm(t *testing.T) {
	file := writeConfig(t, realmsConfig)
	packed := must(os.Open("testdata/one_realm.db.gz"))(t)
	defer func() { _ = packed.Close() }()
	old := must(io.ReadAll(must(gzip.NewReader(packed))(t)))(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "wireroom.db"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, file)
	shop, school := joinRealm(t, p, "shop.example", ""), joinRealm(t, p, "school.example", "")
	inShop := shop.listen(t, "demo.message", wamp.Dict{"_last": 10})
	inSchool := school.listen(t, "demo.message", wamp.Dict{"_last": 10})
	for i := range 3 {
		if e := next(t, inShop); offset(e) != int64(i+1) || e.ArgumentsKw["text"] == "" {
			t.Errorf("event %d of the log is %v at %v", i+1, e.ArgumentsKw, e.Details)
		}
	}
	if err := post(t, p, schoolKey, "demo.message", map[string]any{"n": 1}); err != nil {
		t.Fatal(err)
	}
	if e := next(t, inSchool); offset(e) != 1 {
		t.Errorf("the log of the other realm begins at %d, with %v", offset(e), e.ArgumentsKw)
	}
	if err := post(t, p, testKey, "demo.message", map[string]any{"text": "new"}); err != nil {
		t.Fatal(err)
	}
	if e := next(t, inShop); offset(e) != 4 {
		t.Errorf("the log goes on at %d, want 4", offset(e))
	}
}

// Tokens and JWTs of one realm are nobody's in another, by ticket, by cookie and
// for the command line.
func TestCredentialsOfARealm(t *testing.T) {
	file := writeConfig(t, strings.Replace(realmsConfig, "tests}", "tests, realm_claim: realm}", 1))
	p := startProgram(t, file)
	whoIs := func(realm, ticket string) string {
		f := wampFlags{url: p.ws(), realm: realm, serializer: "json", ticket: ticket, timeout: patience}
		c, err := f.connect(t.Context())
		if err != nil {
			return err.Error()
		}
		defer func() { _ = c.Close() }()
		details := c.RealmDetails()
		return fmt.Sprint(details["authid"], " ", details["authrole"])
	}
	mint := func(args ...string) string {
		code, out, errs := runCommand(t, "", append([]string{"token"}, args...)...)
		if code != exitOK {
			t.Fatalf("wireroom token %q: exit code %d, %s", args, code, errs)
		}
		return strings.TrimSpace(out)
	}
	for name, token := range map[string]string{
		"a token of the first realm's key": mint("session", "ada", "--role", "member", "--key", testKey, "--xmlrpc", p.base+"/RPC2"),
		"a JWT for the first realm":        mint("jwt", "ada", "--role", "member", "--config", file),
	} {
		if got := whoIs("shop.example", token); got != "ada member" {
			t.Errorf("%s: in the shop it is %s", name, got)
		}
		if got := whoIs("school.example", token); !strings.Contains(got, "ticket not valid in realm school.example") {
			t.Errorf("%s: in the school it is %s", name, got)
		}
	}
	for name, token := range map[string]string{
		"a token of the second realm's key": mint("session", "ada", "--role", "member", "--key", schoolKey, "--xmlrpc", p.base+"/RPC2"),
		"a JWT for the second realm":        mint("jwt", "ada", "--role", "member", "--config", file, "--realm", "school.example"),
	} {
		if got := whoIs("school.example", token); got != "ada member" {
			t.Errorf("%s: in the school it is %s", name, got)
		}
		if got := whoIs("shop.example", token); !strings.Contains(got, "ticket not valid in realm shop.example") {
			t.Errorf("%s: in the shop it is %s", name, got)
		}
	}
}

// The greeting and check name the realms.
func TestRealmsAreNamed(t *testing.T) {
	file := writeConfig(t, realmsConfig)
	p := startProgram(t, file)
	if want := "serving the realms shop.example, school.example."; !strings.Contains(p.stdout.String(), want) {
		t.Errorf("the greeting lacks %q:\n%s", want, p.stdout)
	}
	code, out, errs := runCommand(t, "", "check", file)
	if want := "ok: 2 realms with 3 classes, 4 roles, 2 ingest keys\n"; code != exitOK || !strings.HasSuffix(out, want) {
		t.Errorf("check: exit code %d, stdout %q, stderr %q; want %q", code, out, errs, want)
	}
}
