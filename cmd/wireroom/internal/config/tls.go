package config

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
)

// readTLS reads the certificates of the listeners.
func readTLS(o *object, t *certs.Config) {
	t.Pairs = append(t.Pairs, readPair(o))
	o.list("certificates", "list of mappings", "", func(n *yaml.Node, path string) {
		o.d.object(n, path, func(o *object) { t.Pairs = append(t.Pairs, readPair(o)) })
	})
	o.text("client_ca", &t.ClientCA.Text)
	t.ClientCA.File = o.file("client_ca")
	if t.ClientCA.Text != "" {
		if err := certs.CheckClientCA(t.ClientCA.Text); err != nil {
			o.report("client_ca", err)
		}
	}
	who := "optional"
	o.oneOf("client_cert", &who, "optional", "required")
	if t.RequireClient = who == "required"; t.RequireClient && t.ClientCA.Text == "" {
		o.report("client_ca", errors.New("expected the certificates of who vouches for clients, in client_ca or client_ca_file, found none"))
	}
}

// readPair reads a certificate with its key, and reports one that cannot be
// used. It never quotes the key.
func readPair(o *object) certs.Pair {
	var p certs.Pair
	var key auth.Secret
	o.text("cert", &p.Cert.Text)
	o.secret("key", &key)
	p.Key.Text = string(key)
	p.Cert.File, p.Key.File = o.file("cert"), o.file("key")
	if p.Cert.Text == "" {
		o.report("cert", errors.New("expected a certificate in PEM, in cert or cert_file, found none"))
	}
	if p.Key.Text == "" {
		o.report("key", errors.New("expected a private key in PEM, in key or key_file, found none"))
	}
	if p.Cert.Text != "" && p.Key.Text != "" {
		if err := p.Check(); err != nil {
			o.report("cert", err)
		}
	}
	return p
}

// file returns the name of the file that has the value of key, or "" if it
// stands here.
func (o *object) file(key string) string {
	n := o.items[key+"_file"].value
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || strings.TrimSpace(n.Value) == "" {
		return ""
	}
	return o.d.resolve(n.Value)
}
