package config_test

import (
	"reflect"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

func TestDisclose(t *testing.T) {
	c, problems := config.Parse("wireroom.yaml", []byte(`
roles:
  silent: {}
  member:
    disclose: {caller: true, publisher: {"chat.*": true, "*": false}}
  service:
    disclose: {caller: False, publisher: {}, to_callee: true}
`))
	if problems != nil {
		t.Fatal(problems)
	}
	for role, want := range map[string]auth.Disclose{
		"silent": {},
		"member": {Caller: map[auth.Pattern]bool{"*": true}, Publisher: map[auth.Pattern]bool{"chat.*": true, "*": false}},
		"service": {
			Caller: map[auth.Pattern]bool{"*": false}, Publisher: map[auth.Pattern]bool{}, ToCallee: new(true),
		},
	} {
		if got := c.Realms[0].Roles[role].Disclose; !reflect.DeepEqual(got, want) {
			t.Errorf("role %s: %+v, want %+v", role, got, want)
		}
	}
}
