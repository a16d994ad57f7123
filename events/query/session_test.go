package query_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wireroom/wireroom/events/query"
)

func parseForRole(t testing.TB, text string) *query.Query {
	t.Helper()
	options := query.DefaultOptions()
	options.Session = true
	q, err := query.Parse(text, options)
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return q
}

func sampleWith(t testing.TB, data string) *query.Sample {
	t.Helper()
	s, err := query.NewSample(query.Meta{Class: "order.created", ID: "1", Topic: "order.created"}, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var ada = query.Session{AuthID: "ada", Role: "member", Claims: []byte(`{
	"customers": [42, 43, "c-7", null], "team": "blue", "level": 3, "admin": false, "root": true,
	"org": {"id": 7, "units": ["x"]}, "none": [], "lost": null, "mixed": [1, [2]], "vip": {"a": 1, "b": 2}
}`)}

// What a query of a role becomes for a session, in its normal form.
func TestBind(t *testing.T) {
	tests := []struct{ query, want string }{
		{`customer == session.authid`, `customer == "ada"`},
		{`session.authid == customer`, `customer == "ada"`},
		{`session.claims.level > level`, `level < 3`},
		{`level >= session.claims.level`, `level >= 3`},
		{`customer != session.authid`, `customer != "ada"`},
		{`!(customer == session.authid)`, `customer != "ada"`},
		{`customer in session.claims.customers`, `customer in [null, 42, 43, "c-7"]`},
		{`!(customer in session.claims.customers)`, `!(customer in [null, 42, 43, "c-7"])`},
		{`customer in session.claims.none`, `customer in []`},
		{`customer in session.claims.vip`, `customer in ["a", "b"]`},
		{`unit in session.claims.org.units`, `unit == "x"`},
		{`org == session.claims.org.id`, `org == 7`},
		{`org == session.claims["org"]["id"]`, `org == 7`},
		{`session.authid in members`, `"ada" in members`},
		{`lines.exists(l, l.owner == session.authid)`, `lines.exists(x, x.owner == "ada")`},
		{`lines.exists(l, l in session.claims.customers)`, `lines.exists(x, x in [null, 42, 43, "c-7"])`},
		{`a == 1 && session.role == "member"`, `a == 1`},
		{`session.claims.root || a == 1`, `true`},
		{`session.claims.admin || a == 1`, `a == 1`},
		{`session.role in ["boss", "member"] && a == 1`, `a == 1`},
		{`"x" in session.claims.org.units && a == 1`, `a == 1`},
		{`"a" in session.claims.vip && a == 1`, `a == 1`},
		{`session.role in session.claims.customers || a == 1`, `a == 1`},
		{`session.claims.team.startsWith("bl") && a == 1`, `a == 1`},
		{`session.authid == session.claims.team || a == 1`, `a == 1`},
		{`has(session.claims.team) && a == 1`, `a == 1`},
		{`has(session.claims.org.name) || a == 1`, `a == 1`},
		{`!has(session.claims.lost) && a == 1`, `a == 1`}, // null: looked for, and not found
		{`has(session.authid) && has(session.claims) && has(session.role) && a == 1`, `a == 1`},

		// What is not there, or of no use, makes nothing true, however it is turned.
		{`customer == session.claims.absent`, `false`},
		{`customer != session.claims.absent`, `false`},
		{`!(customer == session.claims.absent)`, `false`},
		{`!(customer in session.claims.absent)`, `false`},
		{`customer == session.claims.absent || a == 1`, `a == 1`},
		{`customer == session.claims.lost`, `false`},
		{`has(session.claims.absent)`, `false`},
		{`!has(session.claims.absent)`, `false`}, // nobody looked for it
		{`!has(session.claims.absent.part)`, `false`},
		{`customer == session.claims.customers`, `false`},
		{`customer != session.claims.org`, `false`},
		{`!(customer in session.claims.team)`, `false`},
		{`!(customer in session.claims.mixed)`, `false`},
		{`!(session.claims.org in members)`, `false`},
		{`!session.claims.team`, `false`},
		{`session.claims.level < "a" || !(session.claims.level < "a")`, `false`},
		{`lines.exists(l, l.owner == session.claims.absent)`, `lines.exists(x, 0 < "")`},
		{`!lines.exists(l, l.owner == session.claims.absent)`, `!lines.exists(x, 0 < "")`},
	}
	for _, tt := range tests {
		q, err := parseForRole(t, tt.query).Bind(&ada)
		if err != nil {
			t.Errorf("Bind(%s): %v", tt.query, err)
			continue
		}
		if got := q.Normal(); got != tt.want {
			t.Errorf("Bind(%s) = %s, want %s", tt.query, got, tt.want)
		}
		if again, err := query.Parse(q.Normal(), query.DefaultOptions()); err != nil || again.Hash() != q.Hash() {
			t.Errorf("Bind(%s) = %s, which is read as another query (%v)", tt.query, q.Normal(), err)
		}
	}
}

// Somebody of whom nothing is known satisfies nothing that is about them.
func TestBindNobody(t *testing.T) {
	nobody := query.Session{Role: "anonymous"}
	for text, want := range map[string]string{
		`customer == session.authid`:                 `false`,
		`customer != session.authid`:                 `false`,
		`customer == session.authid || public`:       `public`,
		`has(session.authid)`:                        `false`,
		`!has(session.authid) && public`:             `public`,
		`!has(session.claims) && public`:             `public`,
		`!has(session.claims.team) && public`:        `false`,
		`!(team in session.claims.teams)`:            `false`,
		`session.role == "anonymous" && total > 100`: `total > 100`,
	} {
		q, err := parseForRole(t, text).Bind(&nobody)
		if err != nil || q.Normal() != want {
			t.Errorf("Bind(%s) = %v, %v; want %s", text, q, err, want)
		}
	}
}

// What somebody is called is a value, whatever is in it.
func TestBindHostile(t *testing.T) {
	names := []string{
		`" || true || "`, `ada" || true // `, `\`, `\"`, `'`, "`", "a\nb", "\x00", `") || has(customer) || ("`,
		`session.authid`, `*`, `ada`, "\u202e", `timestamp("2026-01-31T12:00:00Z")`, `true`, `null`, `42`,
	}
	q := parseForRole(t, `customer == session.authid || customer in session.claims.names || session.authid in owners`)
	for _, name := range names {
		claims := fmt.Appendf(nil, `{"names":[%q]}`, "x")
		bound, err := q.Bind(&query.Session{AuthID: name, Role: "member", Claims: claims})
		if err != nil {
			t.Errorf("Bind for %q: %v", name, err)
			continue
		}
		again, err := query.Parse(bound.Normal(), query.DefaultOptions())
		if err != nil {
			t.Errorf("for %q the query is %s, which cannot be read: %v", name, bound.Normal(), err)
			continue
		}
		for _, customer := range append(names, "somebody", "") {
			data := fmt.Sprintf(`{"customer":%s,"owners":[]}`, jsonString(customer))
			want := customer == name || customer == "x"
			for _, q := range []*query.Query{bound, again} {
				if got := q.Match(sampleWith(t, data)); got != want {
					t.Errorf("for %q the query %s says %v of %s, want %v", name, q, got, data, want)
				}
			}
		}
	}
}

func jsonString(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestBindLimits(t *testing.T) {
	for _, tt := range []struct{ query, claims, want string }{
		{`a in session.claims.l`, `{"l":[` + strings.Repeat(`1,`, 128) + `1]}`, `session.claims.l: expected at most 128 values, found 129`},
		{`a in session.claims.l`, `{"l":["` + strings.Repeat(`x`, 257) + `"]}`, `session.claims.l: expected texts of at most 256 bytes, found one of 257`},
		{`a == session.claims.l`, `{"l":"` + strings.Repeat(`x`, 257) + `"}`, `session.claims.l: expected texts of at most 256 bytes, found one of 257`},
		{`a == 1`, `[]`, `the claims of the session: expected a JSON object`},
		{`a == 1`, `{} {}`, `the claims of the session: expected nothing behind the JSON object`},
	} {
		if q, err := parseForRole(t, tt.query).Bind(&query.Session{Claims: []byte(tt.claims)}); err == nil || err.Error() != tt.want {
			t.Errorf("Bind(%s) with %.40s = %v, %v; want %s", tt.query, tt.claims, q, err, tt.want)
		}
	}
}

func TestSessionParts(t *testing.T) {
	q := parseForRole(t, `a == session.authid && (b in session.claims.org.units || has(session.claims.org)) && c.exists(x, x == session.claims.team) && has(session.claims)`)
	if got, want := q.SessionParts(), []string{"authid", "claims", "claims.org", "claims.team"}; !slices.Equal(got, want) {
		t.Errorf("SessionParts = %q, want %q", got, want)
	}
	if got := parseForRole(t, `a == 1`).SessionParts(); len(got) != 0 {
		t.Errorf("SessionParts of a query without = %q", got)
	}
}

func TestSessionErrors(t *testing.T) {
	options := query.DefaultOptions()
	options.Session = true
	for text, want := range map[string]string{
		`a == session`:                    `1:6: expected session.authid, session.role or a claim such as session.claims.team, found session alone`,
		`a == session.user`:               `1:6: expected session.authid, session.role or a claim such as session.claims.team, found session.user`,
		`a == session.authid.x`:           `1:6: expected session.authid alone, which is a text, found session.authid.x`,
		`a == session.claims`:             `1:6: expected a claim such as session.claims.team, found session.claims alone`,
		`a in session.claims`:             `1:6: expected a claim such as session.claims.team, found session.claims alone`,
		`session.claims.l.exists(x, x>1)`: `1:18: expected a field of the event for exists, found session.claims.l; whether a list of the session has a value is asked by in`,
		`a in b`:                          `1:3: expected a field in a list (status in ["new", "paid"]) or a value in a field ("red" in tags), found a field in a field`,
	} {
		if _, err := query.Parse(text, options); err == nil || err.Error() != want {
			t.Errorf("Parse(%s): %v, want %s", text, err, want)
		}
	}
}

func TestSessionCheck(t *testing.T) {
	schema := &query.Schema{Class: "order.created", Data: query.Type{Kind: query.ObjectType, Closed: true, Fields: []query.Field{
		{Name: "customer", Type: query.Type{Kind: query.StringType}},
		{Name: "number", Type: query.Type{Kind: query.IntType}},
		{Name: "members", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.StringType}}},
		{Name: "sizes", Type: query.Type{Kind: query.ArrayType, Items: &query.Type{Kind: query.IntType}}},
		{Name: "address", Type: query.Type{Kind: query.ObjectType}},
	}}}
	for text, want := range map[string]string{
		`customer == session.authid`:           ``,
		`customer in session.claims.customers`: ``,
		`number == session.claims.number`:      ``,
		`session.authid in members`:            ``,
		`session.claims.size in sizes`:         ``,
		`session.authid in address`:            ``,
		`number == session.authid`:             `1:8: expected two fields of one type, found number, which is an int, and session.authid, which is a string`,
		`customer in session.authid`:           `1:10: expected a list of the session, found session.authid, which is a string; write customer == session.authid`,
		`members in session.claims.l`:          `1:9: expected one value in session.claims.l, found members, which is an array; ask its elements, as in members.exists(x, x in session.claims.l)`,
		`address in session.claims.l`:          `1:9: expected one value in session.claims.l, found address, which is an object`,
		`session.authid in sizes`:              `1:16: expected an int, as the elements of sizes are, found session.authid, which is a string`,
		`session.claims.team in customer`:      `1:21: expected an array, found customer, which is a string; write customer == session.claims.team`,
		`custmer == session.authid`:            `1:1: expected a field of order.created, found "custmer"; did you mean customer?`,
	} {
		got := ""
		if err := parseForRole(t, text).Check(schema); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Check(%s): %q, want %q", text, got, want)
		}
	}
}

func TestCombine(t *testing.T) {
	parse := func(text string) *query.Query { return parseForRole(t, text) }
	for _, tt := range []struct {
		q    *query.Query
		want string
	}{
		{query.And(parse(`a == 1`), parse(`true || b == 2`)), `a == 1`}, // whatever one says, the other holds
		{query.And(parse(`b == 2 || c == 3`), parse(`a == 1`)), `a == 1 && (b == 2 || c == 3)`},
		{query.And(parse(`a == 1`)), `a == 1`},
		{query.Or(query.And(query.OfClasses("a"), parse(`x == 1`)), query.OfClasses("b", "c")), `class == "a" && x == 1 || class in ["b", "c"]`},
		{query.OfClasses(`a" || true`), `class == "a\" || true"`},
	} {
		if got := tt.q.Normal(); got != tt.want {
			t.Errorf("%s has the normal form %s, want %s", tt.q, got, tt.want)
		}
	}
}

// What a query says for a session is what it would say if the values stood in it
// as values, and never more.
func FuzzBind(f *testing.F) {
	for _, s := range []string{`ada`, `" || true || "`, `\`, "\x00", ""} {
		f.Add(s, s, int64(42))
	}
	q := parseForRole(f, `(customer == session.authid || customer in session.claims.names || number == session.claims.number) && !(customer == session.claims.not)`)
	f.Fuzz(func(t *testing.T, authid, customer string, number int64) {
		if !utf8.ValidString(authid) || !utf8.ValidString(customer) || len(authid) > 256 || len(customer) > 256 {
			t.Skip()
		}
		claims := fmt.Appendf(nil, `{"names":["n"],"number":%d,"not":"x"}`, number)
		bound, err := q.Bind(&query.Session{AuthID: authid, Role: "r", Claims: claims})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int64{number, 7} {
			data := fmt.Sprintf(`{"customer":%s,"number":%d}`, jsonString(customer), n)
			want := (customer == authid && authid != "" || customer == "n" || n == number) && customer != "x"
			if got := bound.Match(sampleWith(t, data)); got != want {
				t.Fatalf("for %q the query %s says %v of %s, want %v", authid, bound, got, data, want)
			}
		}
		again, err := query.Parse(bound.Normal(), query.DefaultOptions())
		if err != nil || again.Hash() != bound.Hash() {
			t.Fatalf("for %q the query is %s, which is read as another (%v)", authid, bound.Normal(), err)
		}
	})
}
