package storekit_test

import (
	"bytes"
	"cmp"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

func TestMember(t *testing.T) {
	for _, test := range []struct{ owner, name, want string }{
		{"ada", "a", "ada\x00\x00a"},
		{"ada", "", "ada\x00\x00"},
		{"", "", "\x00\x00"},
		{"a\x00b", "n\x00\x00m", "a\x00\xffb\x00\x00n\x00\x00m"},
		{"a\x00\x00", "n", "a\x00\xff\x00\xff\x00\x00n"},
		{"a\xff", "\xff", "a\xff\x00\x00\xff"},
	} {
		m := storekit.AppendMember([]byte("x"), test.owner, test.name)
		if got := string(m[1:]); got != test.want || m[0] != 'x' {
			t.Errorf("AppendMember(%q, %q) = %q, want %q", test.owner, test.name, got, test.want)
		}
		if owner, name, ok := storekit.ParseMember(test.want); owner != test.owner || name != test.name || !ok {
			t.Errorf("ParseMember(%q) = %q, %q, %v", test.want, owner, name, ok)
		}
	}
	for _, m := range []string{"", "a", "a\x00", "a\x00b\x00\x00", "a\x00\xff", "a\x00\xff\x00"} {
		if owner, name, ok := storekit.ParseMember([]byte(m)); ok {
			t.Errorf("ParseMember(%q) = %q, %q; want none", m, owner, name)
		}
	}
}

// Members are taken apart as they were put together, sort as owner and name do,
// and begin with what an owner's begin with if, and only if, they are that
// owner's.
func FuzzMember(f *testing.F) {
	f.Add("ada", "a", "ada", "b")
	f.Add("a\x00", "", "a", "\x00")
	f.Add("a\x00\xff", "x", "a\x00", "\xffx")
	f.Fuzz(func(t *testing.T, owner, name, owner2, name2 string) {
		m, m2 := storekit.AppendMember(nil, owner, name), storekit.AppendMember(nil, owner2, name2)
		if o, n, ok := storekit.ParseMember(m); o != owner || n != name || !ok {
			t.Errorf("%q of %q is taken apart as %q of %q, %v", name, owner, n, o, ok)
		}
		want := cmp.Or(strings.Compare(owner, owner2), strings.Compare(name, name2))
		if got := bytes.Compare(m, m2); got != want {
			t.Errorf("%q and %q compare as %d, want %d", m, m2, got, want)
		}
		if got := bytes.HasPrefix(m2, storekit.AppendMember(nil, owner, "")); got != (owner == owner2) {
			t.Errorf("%q begins like those of %q: %v", m2, owner, got)
		}
		if o, n, ok := storekit.ParseMember(name); ok && string(storekit.AppendMember(nil, o, n)) != name {
			t.Errorf("%q is taken for %q of %q", name, n, o)
		}
	})
}
