package router_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/wireroom/wireroom/router/wamp"
)

// A session knows its claims and its client, each with and without the other,
// also if it can be resumed.
func TestParticulars(t *testing.T) {
	for _, tt := range []struct{ claims, client string }{
		{"", ""},
		{`{"team":"blue"}`, ""},
		{"", "abc"},
		{`{"team":"blue"}`, "abc"},
	} {
		for _, resumable := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				tr := newRouter(t)
				r := &resumer{t: t}
				c := tr.connect()
				c.send(fmt.Sprintf(`[1,"realm1",{%s,"authextra":{"claims":%q,"client":%q},"resumable":%v}]`,
					resumerRoles, tt.claims, tt.client, resumable))
				r.welcome(c)
				id, _ := r.session.Int64()
				s := tr.rt.Realm("realm1").Session(wamp.ID(id))
				if s.Claims() != tt.claims || s.Client() != tt.client {
					t.Errorf("of %+v, resumable %v: Claims = %q, Client = %q", tt, resumable, s.Claims(), s.Client())
				}
			})
		}
	}
}
