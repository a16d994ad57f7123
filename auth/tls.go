package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// maxNames is how many names of a certificate are looked at.
const maxNames = 100

// A certificate is one that a client has shown and TLS has verified.
type certificate struct {
	names []string // as entries of users have them ([UserConfig.TLS]); that by its hash first
}

// certificateOf returns the certificate that the client has shown, or nil if it
// has shown none, or none that was verified. state may be nil.
func certificateOf(state *tls.ConnectionState) *certificate {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}
	c := state.VerifiedChains[0][0]
	sum := sha256.Sum256(c.Raw)
	names := []string{"sha256:" + hex.EncodeToString(sum[:])}
	return &certificate{append(names, subjectNames(c)...)}
}

// subjectNames returns who a certificate says that it is of.
func subjectNames(c *x509.Certificate) (names []string) {
	add := func(kind, name string) {
		if name != "" && len(names) < maxNames {
			names = append(names, kind+name)
		}
	}
	add("cn:", c.Subject.CommonName)
	for _, name := range c.DNSNames {
		add("dns:", strings.ToLower(name))
	}
	for _, name := range c.EmailAddresses {
		add("email:", name)
	}
	for _, uri := range c.URIs {
		add("uri:", uri.String())
	}
	return names
}

// IdentifyTLS says who is at the other end of a TLS connection that is no
// WebSocket: an anonymous identity with the certificate that the client has
// shown, if TLS has verified it. state may be nil.
func IdentifyTLS(state *tls.ConnectionState) *Identity {
	return &Identity{certificate: certificateOf(state)}
}

// certificateName returns the name of a certificate in an entry as
// [certificate] has it, or what is wrong with it.
func certificateName(text string) (string, error) {
	const expected = "expected sha256: and 64 hexadecimal digits, or a name that begins with cn:, dns:, email: or uri:"
	kind, name, _ := strings.Cut(text, ":")
	switch {
	case len(name) > maxOrigin || !printable(name) || strings.TrimSpace(name) != name || name == "":
	case kind == "sha256":
		// As openssl x509 -fingerprint writes it, too.
		digits := strings.ToLower(strings.ReplaceAll(name, ":", ""))
		if b, err := hex.DecodeString(digits); err == nil && len(b) == sha256.Size {
			return "sha256:" + digits, nil
		}
	case kind == "dns":
		return strings.ToLower(text), nil
	case kind == "cn", kind == "email", kind == "uri":
		return text, nil
	}
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "…"
	}
	return "", fmt.Errorf("%s, found %q", expected, text)
}

// certified lets a peer in whose certificate is a user's. With an authid in
// HELLO it must be that user's; without one it must be that of one user only.
func (r *roster) certified(c *certificate, authID string) (*Grant, error) {
	var found []*member
	for _, name := range c.names {
		m := r.certificates[name]
		if m != nil && (authID == "" || m.name == authID) && !slices.Contains(found, m) {
			found = append(found, m)
		}
	}
	switch {
	case len(found) > 1:
		return nil, errRefused("tls: the certificate %s is that of %q and %q, and HELLO does not say of whom", c.names[0], found[0].name, found[1].name)
	case len(found) == 1:
		return found[0].grant(MethodTLS), nil
	case authID != "":
		return nil, errRefused("tls: the certificate %s is not one of %q", c.names[0], authID)
	}
	return nil, errRefused("tls: nobody has the certificate %s", c.names[0])
}
