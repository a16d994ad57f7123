package auth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wireroom/wireroom/auth"
)

// Names of certificates in entries of users are as certificates have them,
// whoever wrote them, and what is wrong is shown within bounds.
func FuzzCertificateName(f *testing.F) {
	digits := strings.Repeat("0F", 32)
	for _, text := range []string{
		"sha256:" + digits, "sha256:" + strings.Repeat("0f:", 31) + "0F", "sha256:" + digits[1:], "sha256:", "cn:ann", "cn: ann", "cn:a\nb",
		"dns:A.example.ORG", "dns:İ", "dns:\u212a", "email:Ann@example.org", "uri:spiffe://example.org/a", "ip:127.0.0.1", "ann", "", ":",
		strings.Repeat("ä", 40), "cn:" + strings.Repeat("x", 3000), "dns:\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := auth.CertificateName(text)
		if err != nil {
			if said := err.Error(); got != "" || len(said) > 600 || !utf8.ValidString(said) {
				t.Fatalf("%q is refused with %q and %q", text, got, said)
			}
			return
		}
		if again, err := auth.CertificateName(got); again != got || err != nil {
			t.Fatalf("%q is %q, which is %q, %v", text, got, again, err)
		}
		kind, name, _ := strings.Cut(text, ":")
		c := &x509.Certificate{}
		switch kind {
		case "sha256":
			sum, err := hex.DecodeString(strings.TrimPrefix(got, "sha256:"))
			if err != nil || len(sum) != 32 || got != "sha256:"+hex.EncodeToString(sum) {
				t.Fatalf("%q is %q, want a hash", text, got)
			}
			return
		case "cn":
			c.Subject = pkix.Name{CommonName: name}
		case "dns":
			c.DNSNames = []string{name}
		case "email":
			c.EmailAddresses = []string{name}
		case "uri": // compared as a URI is written, which whoever issued the certificate decides
			if got != text {
				t.Fatalf("%q is %q", text, got)
			}
			return
		default:
			t.Fatalf("%q is taken, as %q", text, got)
		}
		if names := auth.SubjectNames(c); !slices.Equal(names, []string{got}) {
			t.Fatalf("%q is %q, and a certificate of that name has %q", text, got, names)
		}
	})
}
