package auth_test

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

func TestOrigins(t *testing.T) {
	listed := must(auth.NewOrigins([]string{"https://app.example.com", "HTTPS://Shop.example.com:443", "https://*.example.org", "http://dev:3000", "capacitor://localhost"}))(t)
	all := must(auth.NewOrigins([]string{"*", "https://app.example.com"}))(t)
	tests := []struct {
		name    string
		origins *auth.Origins
		host    string
		tls     bool
		origin  string
		site    string // Sec-Fetch-Site
		allows  bool
		trusts  bool
	}{
		{"a program", nil, "gw.example.net", false, "", "", true, true},
		{"own page", nil, "gw.example.net", false, "http://gw.example.net", "", true, true},
		{"own page, port", nil, "127.0.0.1:8080", false, "http://127.0.0.1:8080", "", true, true},
		{"own page, other port", nil, "127.0.0.1:8080", false, "http://127.0.0.1:8081", "", false, false},
		{"own page, default port", nil, "gw.example.net:443", true, "https://gw.example.net", "", true, true},
		{"own page, case", nil, "GW.example.net", false, "http://gw.Example.net", "", true, true},
		{"own page by TLS", nil, "gw.example.net", true, "https://gw.example.net", "", true, true},
		{"own host without TLS to one with", nil, "gw.example.net", true, "http://gw.example.net", "", false, false},
		{"TLS ends before us", nil, "gw.example.net", false, "https://gw.example.net", "", true, true},
		{"proxy changed the host", nil, "backend:8080", false, "https://gw.example.net", "same-origin", true, true},
		{"typed by the user", nil, "gw.example.net", false, "", "none", true, true},
		{"foreign", nil, "gw.example.net", false, "https://evil.example", "", false, false},
		{"foreign, says the browser", nil, "gw.example.net", false, "", "cross-site", false, false},
		{"sibling, says the browser", nil, "gw.example.net", false, "", "same-site", false, false},
		{"own host and port, says Origin; another site, says the browser", nil, "gw.example.net", false, "http://gw.example.net", "cross-site", false, false},
		{"own host by another scheme, says the browser", nil, "gw.example.net", false, "http://gw.example.net", "same-site", false, false},
		{"what a browser may say one day", nil, "gw.example.net", false, "http://gw.example.net", "same-planet", false, false},
		{"null", nil, "gw.example.net", false, "null", "", false, false},
		{"junk", nil, "gw.example.net", false, "http://", "", false, false},
		{"host as userinfo", nil, "gw.example.net", false, "http://gw.example.net@evil.example", "", false, false},
		{"host as path", nil, "gw.example.net", false, "http://evil.example/gw.example.net", "", false, false},

		{"listed", listed, "gw.example.net", false, "https://app.example.com", "cross-site", true, true},
		{"listed, of the same site", listed, "gw.example.com", false, "https://app.example.com", "same-site", true, true},
		{"listed, default port", listed, "gw.example.net", false, "https://shop.example.com", "", true, true},
		{"listed, other scheme", listed, "gw.example.net", false, "http://app.example.com", "", false, false},
		{"listed, other port", listed, "gw.example.net", false, "https://app.example.com:8443", "", false, false},
		{"listed, longer", listed, "gw.example.net", false, "https://app.example.com.evil.example", "", false, false},
		{"below", listed, "gw.example.net", false, "https://a.example.org", "", true, true},
		{"far below", listed, "gw.example.net", false, "https://a.b.example.org", "", true, true},
		{"not below", listed, "gw.example.net", false, "https://example.org", "", false, false},
		{"looks like below", listed, "gw.example.net", false, "https://evilexample.org", "", false, false},
		{"nothing below", listed, "gw.example.net", false, "https://.example.org", "", false, false},
		{"port", listed, "gw.example.net", false, "http://dev:3000", "", true, true},
		{"app", listed, "gw.example.net", false, "capacitor://localhost", "", true, true},
		{"foreign to a list", listed, "gw.example.net", false, "https://evil.example", "", false, false},

		{"foreign to all", all, "gw.example.net", false, "https://evil.example", "", true, false},
		{"null to all", all, "gw.example.net", false, "null", "", true, false},
		{"listed beside all", all, "gw.example.net", false, "https://app.example.com", "", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/ws", nil)
			r.Host = tt.host
			if tt.tls {
				r.TLS = new(tls.ConnectionState)
			}
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			if allows, trusts := tt.origins.Allows(r), tt.origins.Trusts(r); allows != tt.allows || trusts != tt.trusts {
				t.Errorf("origin %q to %s: Allows %v, Trusts %v; want %v, %v", tt.origin, tt.host, allows, trusts, tt.allows, tt.trusts)
			}
		})
	}
	for _, bad := range []string{"", "app.example.com", "https://", "https://a/", "https://a/b", "https://a?b", "https://*", "https://a.*.b", "https://*.*.b", "https://*a.b", "null", "https://u@a", "https://a b"} {
		if _, err := auth.NewOrigins([]string{bad}); err == nil {
			t.Errorf("NewOrigins takes %q", bad)
		}
	}
}

// What is in front of the gateway may have put the scheme into the URL; then
// that counts, and not the connection.
func TestOriginsScheme(t *testing.T) {
	var own *auth.Origins
	for _, tt := range []struct {
		scheme string
		tls    bool
		origin string
		want   bool
	}{
		{"https", false, "https://gw.example.net", true},
		{"https", false, "http://gw.example.net", false},
		{"http", true, "http://gw.example.net", true},
		{"", true, "http://gw.example.net", false},
	} {
		r := httptest.NewRequest("GET", "/ws", nil)
		r.Host, r.URL.Scheme = "gw.example.net", tt.scheme
		if tt.tls {
			r.TLS = new(tls.ConnectionState)
		}
		r.Header.Set("Origin", tt.origin)
		if got := own.Trusts(r); got != tt.want {
			t.Errorf("scheme %q, TLS %v: Trusts %s: %v, want %v", tt.scheme, tt.tls, tt.origin, got, tt.want)
		}
	}
}
