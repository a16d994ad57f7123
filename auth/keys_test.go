package auth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

func TestKeysLookup(t *testing.T) {
	keys := must(auth.NewKeys(auth.KeysConfig{
		{Name: "shop", Secret: "0123456789abcdef", Classes: patterns("order.*")},
		{Name: "chat", Secret: "0123456789abcdeg", Classes: patterns("chat.message"), Tokens: []string{"member", "guest"}},
		{Name: "demo", Secret: "demo", Classes: patterns("*"), Tokens: []string{"*"}, AllowWeak: true},
	}))(t)
	tests := []struct {
		secret auth.Secret
		want   string // the key's name; "": none
	}{
		{"0123456789abcdef", "shop"},
		{"0123456789abcdeg", "chat"},
		{"demo", "demo"},
		{"", ""},
		{"dem", ""},
		{"demo ", ""},
		{"Demo", ""},
		{"0123456789abcde", ""},
		{"0123456789abcdef\x00", ""},
		{auth.Secret(strings.Repeat("x", 1<<20)), ""},
	}
	for _, tt := range tests {
		got := ""
		if key := keys.Lookup(tt.secret); key != nil {
			got = key.Name()
		}
		if got != tt.want {
			t.Errorf("Lookup(%.20q) = %q, want %q", string(tt.secret), got, tt.want)
		}
	}
	if (*auth.Keys)(nil).Lookup("demo") != nil {
		t.Error("an empty set has a key")
	}

	shop, chat, demo := keys.Lookup("0123456789abcdef"), keys.Lookup("0123456789abcdeg"), keys.Lookup("demo")
	for _, tt := range []struct {
		key   *auth.Key
		class string
		want  bool
	}{
		{shop, "order.created", true},
		{shop, "order", false},
		{shop, "chat.message", false},
		{shop, "", false},
		{chat, "chat.message", true},
		{chat, "chat.message.lobby", false},
		{demo, "anything", true},
	} {
		if got := tt.key.MayPost(tt.class); got != tt.want {
			t.Errorf("%s.MayPost(%q) = %v, want %v", tt.key.Name(), tt.class, got, tt.want)
		}
	}
	for _, tt := range []struct {
		key   *auth.Key
		roles []string
		want  bool
	}{
		{shop, nil, false},
		{shop, []string{"member"}, false},
		{chat, nil, true},
		{chat, []string{"member", "guest"}, true},
		{chat, []string{"member", "admin"}, false},
		{demo, []string{"admin"}, true},
	} {
		if got := tt.key.MayIssue(tt.roles); got != tt.want {
			t.Errorf("%s.MayIssue(%q) = %v, want %v", tt.key.Name(), tt.roles, got, tt.want)
		}
	}
}

func TestKeysValidate(t *testing.T) {
	cfg := auth.KeysConfig{
		{Name: "shop", Secret: "s3cret-s3cret-s3cret", Classes: patterns("order.*")},
		{Name: "shop", Secret: "s3cret-s3cret-s3cret", Classes: patterns("order*")},
		{Name: "", Secret: "", Classes: nil},
		{Name: "short", Secret: "s3cret", Classes: patterns("a"), Tokens: []string{"a b"}},
		{Name: "weak", Secret: "demo", Classes: patterns("*"), AllowWeak: true},
		{Name: "empty", Secret: "", Classes: patterns("*"), AllowWeak: true},
		{Name: "long", Secret: auth.Secret(strings.Repeat("x", 1025)), Classes: patterns("*")},
	}
	got := problems(cfg.Validate)
	want := []string{
		`[1].classes[0]: pattern "order*": * must stand for a whole part, not for a piece of "order*"`,
		`[1].name: expected a name of its own, found "shop", the name of key 0`,
		`[1].secret: expected a secret of its own, found that of key 0 (shop)`,
		`[2].name: expected 1 to 64 printable characters, found ""`,
		`[2].secret: expected 16 to 1024 bytes (such as: openssl rand -base64 24), found none`,
		`[2].classes: expected a class, or "*" for every class, found none: the key is of no use`,
		`[3].secret: expected at least 16 bytes (such as: openssl rand -base64 24), found 6`,
		`[3].tokens[0]: expected a role name without spaces and characters that cannot be printed, found "a b"`,
		`[5].secret: expected 16 to 1024 bytes (such as: openssl rand -base64 24), found none`,
		`[6].secret: expected at most 1024 bytes, found 1025`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("Validate reports\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	_, err := auth.NewKeys(cfg)
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("NewKeys: %v, want an error without a secret", err)
	}
}

// A loop over keys that ends early tells by its duration which key is right.
// This keeps the source as it must be: time itself is too noisy to test.
func TestKeysLookupLooksAtEveryKey(t *testing.T) {
	file := must(parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0))(t)
	var loops, compares int
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "Lookup" {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			loop, ok := n.(*ast.RangeStmt)
			if !ok {
				return true
			}
			loops++
			ast.Inspect(loop.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.IfStmt, *ast.BranchStmt, *ast.ReturnStmt, *ast.SwitchStmt:
					t.Errorf("Lookup decides inside its loop: %T", n)
				case *ast.SelectorExpr:
					if n.Sel.Name == "ConstantTimeCompare" {
						compares++
					}
				}
				return true
			})
			return false
		})
	}
	if loops != 1 || compares != 1 {
		t.Errorf("Lookup has %d loops with %d constant-time compares, want 1 and 1", loops, compares)
	}
}
