package auth_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

func TestCandidates(t *testing.T) {
	a, b := auth.NewSecret(), auth.NewSecret()
	sa, sb := string(a), string(b)
	var many []string
	for range auth.MaxCandidates + 3 {
		many = append(many, "wireroom="+string(auth.NewSecret()))
	}
	tests := []struct {
		name  string
		lines []string
		want  []auth.Secret
	}{
		{"none", nil, nil},
		{"one", []string{"wireroom=" + sa}, []auth.Secret{a}},
		{"among others", []string{"x=1; wireroom=" + sa + "; y=2"}, []auth.Secret{a}},
		{"no space", []string{"x=1;wireroom=" + sa + ";y=2"}, []auth.Secret{a}},
		{"more space", []string{" x=1 ;\t wireroom = " + sa + " ; "}, []auth.Secret{a}},
		{"two of the name", []string{"wireroom=" + sa + "; wireroom=" + sb}, []auth.Secret{a, b}},
		{"two headers", []string{"wireroom=" + sa, "wireroom=" + sb}, []auth.Secret{a, b}},
		{"twice the same", []string{"wireroom=" + sa + "; wireroom=" + sa}, []auth.Secret{a}},
		{"junk of the name", []string{"wireroom=; wireroom; wireroom=wr_; wireroom=" + sa + "x; wireroom=" + sb}, []auth.Secret{b}},
		{"JSON before", []string{`prefs={"a":[1,2],"b":"x=y"}; wireroom=` + sa}, []auth.Secret{a}},
		{"JSON with semicolons before", []string{`prefs={"a":"x;y","b":"wireroom=7"}; wireroom=` + sa}, []auth.Secret{a}},
		{"an open quote before", []string{`q="never closed; wireroom=` + sa}, []auth.Secret{a}},
		{"commas and binary before", []string{"z=a,b,\x80\xff\x01; =; ;;; wireroom=" + sa}, []auth.Secret{a}},
		{"equal signs", []string{"x==wireroom=" + sb + "; wireroom=" + sa}, []auth.Secret{a}},
		{"name in another case", []string{"Wireroom=" + sa}, nil},
		{"name as the end of another", []string{"mywireroom=" + sa + "; wireroom2=" + sb}, nil},
		{"quoted", []string{`wireroom="` + sa + `"`}, nil},
		{"line break inside", []string{"wireroom=" + sa[:40] + "\n" + sa[41:]}, nil},
		{"too many", []string{strings.Join(many, "; ")}, secrets(many[:auth.MaxCandidates])},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := auth.Candidates(http.Header{"Cookie": tt.lines}, "wireroom")
			if !slices.Equal(got, tt.want) {
				t.Errorf("%d candidates, want %d", len(got), len(tt.want))
			}
		})
	}
}

func secrets(pairs []string) []auth.Secret {
	var list []auth.Secret
	for _, pair := range pairs {
		list = append(list, auth.Secret(strings.TrimPrefix(pair, "wireroom=")))
	}
	return list
}

func FuzzCandidates(f *testing.F) {
	secret := auth.NewSecret()
	f.Add("", "")
	f.Add(`prefs={"a":1}`, `x="`)
	f.Add("wireroom=", "=wireroom")
	f.Add(";;", "wireroom=wr_")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, s := range auth.Candidates(http.Header{"Cookie": {before, after}}, "wireroom") {
			if !s.WellFormed() || !strings.Contains(before+after, string(s)) {
				t.Fatalf("candidate of %q and %q that is not there", before, after)
			}
		}
		// Whatever else is in the header, our cookie is found, unless ours
		// are there in number already.
		if strings.Count(before, "wireroom") >= auth.MaxCandidates {
			return
		}
		for _, lines := range [][]string{
			{before + "; wireroom=" + string(secret) + "; " + after},
			{before, "wireroom=" + string(secret), after},
		} {
			if !slices.Contains(auth.Candidates(http.Header{"Cookie": lines}, "wireroom"), secret) {
				t.Fatalf("the cookie is not found among %q", lines)
			}
		}
	})
}
