package certs

import (
	"crypto/x509"
	"log/slog"
	"time"
)

// soon is how long before a certificate expires that is said, at most: of one
// that is good for a short time, a third of that.
const soon = 7 * 24 * time.Hour

// A concern is what is wrong with the time of a certificate, or about to be.
type concern uint8

const (
	noConcern concern = iota
	expiresSoon
	hasExpired
	notYet
)

// A told is what was said of a certificate.
type told struct {
	leaf *x509.Certificate
	what concern
}

// concernOf returns what is wrong with a certificate at a time.
func concernOf(leaf *x509.Certificate, now time.Time) concern {
	left := leaf.NotAfter.Sub(now)
	switch {
	case now.Before(leaf.NotBefore):
		return notYet
	case left < 0:
		return hasExpired
	case left < min(soon, leaf.NotAfter.Sub(leaf.NotBefore)/3):
		return expiresSoon
	}
	return noConcern
}

// warn says of each certificate of the configuration, once, that it expires soon,
// and that clients refuse it. Those of an ACME server are renewed before. Only Run
// calls it.
func (k *Keeper) warn(now time.Time) {
	pairs := k.now.Load().pairs
	if k.said == nil {
		k.said = make([]told, len(pairs))
	}
	for i, p := range pairs {
		is := told{p.Leaf, concernOf(p.Leaf, now)}
		if k.said[i] == is {
			continue
		}
		k.said[i] = is
		log := k.log.With(slog.Any("names", namesOf(p.Leaf)))
		switch is.what {
		case notYet:
			log.Error("a certificate is not good yet: clients refuse it", "begins", p.Leaf.NotBefore)
		case hasExpired:
			log.Error("a certificate has expired: clients refuse it", "expired", p.Leaf.NotAfter)
		case expiresSoon:
			log.Warn("a certificate expires soon: replace it", "expires", p.Leaf.NotAfter)
		}
	}
}
