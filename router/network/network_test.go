package network_test

import (
	"testing"

	"github.com/wireroom/wireroom/router/network"
)

func TestOf(t *testing.T) {
	for _, test := range []struct{ remote, want string }{
		{"192.0.2.7:1", "192.0.2.7/32"},
		{"192.0.2.7:2", "192.0.2.7/32"},
		{"[::ffff:192.0.2.7]:1", "192.0.2.7/32"},
		{"[2001:db8::1]:1", "2001:db8::/64"},
		{"[2001:db8::ffff:0:0:1]:1", "2001:db8::/64"},
		{"[2001:db8:0:1::1]:1", "2001:db8:0:1::/64"},
		{"[fe80::1%eth0]:1", "fe80::/64"},
		{"", ""},
		{"@", ""},
		{"/run/wireroom.sock", ""},
		{"192.0.2.7", ""},
		{"host.example.net:1", ""},
	} {
		got := network.Of(test.remote)
		if got.IsValid() != (test.want != "") || got.IsValid() && got.String() != test.want {
			t.Errorf("Of(%q) = %v, want %q", test.remote, got, test.want)
		}
	}
}
