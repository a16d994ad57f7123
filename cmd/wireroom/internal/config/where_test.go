package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

// Queries of roles know the classes that they are for, and have the claims kept
// that they ask for, in whichever realm.
func TestWhere(t *testing.T) {
	c, problems := config.Parse("wireroom.yaml", []byte(`
auth: {jwt: {secret: a-secret-that-is-only-for-these-tests}}
realms:
  shop:
    roles:
      member:
        where: {"order.*": customer in session.claims.customers, "*": 'tenant == session.claims.org.id || session.role == "x"'}
      vip: {where: has(session.claims)}
    classes:
      order.created: {channel: customer, fields: {customer: {type: string}}}
      order: {}
      news: {}
  school:
    roles:
      member: {where: {news.of.*: 'session.authid in session.claims["https://example.com/of"]', "news.*": pupil == session.authid}}
    classes:
      news.of: {channel: to, fields: {to: {type: string}}}
`))
	if problems != nil {
		t.Fatal(problems)
	}
	var got strings.Builder
	for _, realm := range c.Realms {
		for _, role := range []string{"member", "vip"} {
			for _, row := range realm.Rows[role] {
				got.WriteString(fmt.Sprintf("%s %s %s %s: %s\n", realm.Name, role, row.Pattern, row.Classes, row.Query))
			}
		}
	}
	want := `shop member * [order.created order news]: tenant == session.claims.org.id || session.role == "x"
shop member order.* [order.created]: customer in session.claims.customers
shop vip * [order.created order news]: has(session.claims)
school member news.* [news.of]: pupil == session.authid
school member news.of.* [news.of]: session.authid in session.claims["https://example.com/of"]
`
	if got.String() != want {
		t.Errorf("rows:\n%swant:\n%s", got.String(), want)
	}
	if want := []string{"customers", "https://example.com/of", "org"}; !slices.Equal(c.JWT.Claims, want) {
		t.Errorf("claims that are kept: %q, want %q", c.JWT.Claims, want)
	}
}
