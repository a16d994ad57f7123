package auth

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// What the external tests look at.
var Candidates = candidates

const (
	MaxCandidates = maxCandidates
	MaxTicket     = maxTicket
)

// NodeCount returns how many nodes the set has.
func (s *PatternSet) NodeCount() int { return s.root.count() }

func (n *node) count() int {
	total := 1
	for _, child := range n.parts {
		total += child.count()
	}
	if n.any != nil {
		total += n.any.count()
	}
	return total
}

// SASLprep and DecodeBase64 are what credentials go through.
var (
	SASLprep         = saslprep
	DecodeBase64     = decodeBase64
	VerifyCryptosign = verifyCryptosign
)

// MaxModels bounds how many looks of users are told apart.
const MaxModels = maxModels

// JudgeSCRAM judges the last message of an exchange whose earlier ones are
// given, with the credential cfg.
func JudgeSCRAM(cfg *SCRAMConfig, authID, clientNonce, nonce, proof string, extra map[string]any) (verifier string, err error) {
	m := newMember(&UserConfig{SCRAM: cfg}, "")
	x := scramExchange{authID: authID, clientNonce: clientNonce, nonce: nonce, secret: m.scram}
	return x.judge(proof, extra)
}

// KeysOf returns the credential that has the password, with the salt and cost
// of cfg.
func KeysOf(password Secret, cfg SCRAMConfig) (*SCRAMConfig, error) {
	salted, err := saltPassword(password, &cfg)
	if err != nil {
		return nil, err
	}
	stored, server := scramKeys(salted)
	cfg.StoredKey = Secret(base64.StdEncoding.EncodeToString(stored[:]))
	cfg.ServerKey = Secret(base64.StdEncoding.EncodeToString(server[:]))
	return &cfg, nil
}

// ParseJWKs returns how many keys of a JWK Set can be used, and why others
// cannot.
func ParseJWKs(text []byte, algorithms []string) (usable int, skipped []error, err error) {
	keys, skipped, err := parseJWKs(text, algorithms)
	return len(keys), skipped, err
}

// FetchBy has the keys fetched by rt, and again for an unknown key after gap.
func (v *Verifier) FetchBy(rt http.RoundTripper, gap time.Duration) {
	v.remote.client.Transport = rt
	v.remote.gap = gap
}

// HoldDerivations takes every slot for deriving keys, and returns how to give
// them back.
func HoldDerivations() (release func()) {
	for range cap(deriving) {
		deriving <- struct{}{}
	}
	return func() {
		for range cap(deriving) {
			<-deriving
		}
	}
}

// In is in, for tests.
func (id *Identity) In(realm wamp.URI) *Identity { return id.in(realm) }

// What tells users by their certificates.
var (
	CertificateName = certificateName
	SubjectNames    = subjectNames
)
