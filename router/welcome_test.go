package router_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Details that are put together of what was encoded before are the same as
// those that are encoded anew.
func TestWelcomeDetails(t *testing.T) {
	var w router.Welcomes
	authids := []string{"", "joe", `"quoted\\"`, "ümlaut", "\x00\xff", strings.Repeat("long", 100), "authid", "roles"}
	for range 2 { // the second time from memory
		for ser := range wamp.Serializer(wamp.NumSerializers) {
			for _, g := range []router.Grant{
				{AuthRole: "anonymous", AuthMethod: "anonymous"},
				{AuthRole: "member", AuthMethod: "ticket", Provider: "static"},
				{AuthRole: "member", AuthMethod: "ticket", Provider: ""},
				{AuthRole: `"`, AuthMethod: "", Provider: "p"},
				{AuthRole: "member", AuthMethod: "ticket", Extra: map[string]any{"a": 1, "authid": "x"}},
				{AuthRole: "member", AuthMethod: "ticket", Extra: map[string]any{}},
			} {
				for _, g.AuthID = range authids {
					got := w.Details(ser, "realm1", &g)
					want := router.EncodeWelcome(ser, "realm1", &g, g.AuthID)
					if !bytes.Equal(got, want) {
						t.Errorf("%v, %+v:\ngot  %q\nwant %q", ser, g, got, want)
					}
				}
			}
		}
	}
	if n := w.Known(); n != 4*wamp.NumSerializers {
		t.Errorf("%d encodings are remembered, want one for each serializer, role, method and provider without authextra: %d",
			n, 4*wamp.NumSerializers)
	}
	// An authextra that cannot be encoded is left out, and nothing else.
	v, err := wamp.ParseValue(wamp.JSON, w.Details(wamp.JSON, "realm1", &router.Grant{AuthID: "joe", Extra: map[string]any{"f": func() {}}}))
	if d, ok := v.(map[string]any); err != nil || !ok || d["authid"] != "joe" || d["authextra"] != nil || d["roles"] == nil {
		t.Errorf("with an authextra of no kind: %v, %v", v, err)
	}
}

// Roles without end do not take memory without end.
func TestWelcomeBound(t *testing.T) {
	var w router.Welcomes
	for i := range 2 * router.MaxWelcomes {
		g := &router.Grant{AuthID: "joe", AuthRole: fmt.Sprint(i)}
		if got, want := w.Details(wamp.CBOR, "r", g), router.EncodeWelcome(wamp.CBOR, "r", g, "joe"); !bytes.Equal(got, want) {
			t.Fatalf("role %d: got %q, want %q", i, got, want)
		}
	}
	if n := w.Known(); n != router.MaxWelcomes {
		t.Errorf("%d encodings are remembered, want %d", n, router.MaxWelcomes)
	}
}
