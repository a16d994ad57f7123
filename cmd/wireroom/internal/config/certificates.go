package config

import (
	"fmt"
	"net"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
)

// A certificatePlaces says where in the file the certificates of the listeners are.
type certificatePlaces struct {
	pairs    []Problem // without a text
	clientCA Problem
}

func placeCertificates(d *decoder, t *certs.Config) (p certificatePlaces) {
	if t == nil {
		return p
	}
	place := func(path string) Problem {
		at := Problem{File: d.file, Path: path}
		n := d.at[path+"_file"]
		if n == nil {
			n = d.nearestNode(path)
		}
		if n != nil {
			at.Line, at.Column = n.Line, n.Column
		}
		return at
	}
	const tls = "listen.tls."
	if d.at[tls+"cert"] != nil || d.at[tls+"cert_file"] != nil {
		p.pairs = append(p.pairs, place(tls+"cert"))
	}
	for i := range len(t.Pairs) - len(p.pairs) {
		p.pairs = append(p.pairs, place(fmt.Sprintf("%scertificates[%d].cert", tls, i)))
	}
	p.clientCA = place(tls + "client_ca")
	return p
}

// Certificates says what clients will not like about the certificates of the
// listeners at a time: problems, as every client refuses them, and warnings. They
// do not keep a gateway from serving, which takes others as they come.
func (c *Config) Certificates(now time.Time) (problems, warnings Problems) {
	if c.Listen.TLS == nil {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(c.Listen.HTTP)
	if err != nil {
		host = "" // which was reported
	}
	for _, concern := range c.Listen.TLS.Concerns(now, host) {
		p := c.certificates.clientCA
		if concern.Pair >= 0 {
			p = c.certificates.pairs[concern.Pair]
		}
		p.Text = concern.Text
		if concern.Refused {
			problems = append(problems, p)
		} else {
			warnings = append(warnings, p)
		}
	}
	return problems.sort(), warnings.sort()
}
