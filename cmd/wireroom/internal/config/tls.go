package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/crypto/acme"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
)

// readTLS reads the certificates of the listeners.
func readTLS(o *object, t *certs.Config, listen *Listen) {
	if first := readPair(o, !o.has("acme") || o.has("cert") || o.has("cert_file") || o.has("key") || o.has("key_file")); first != (certs.Pair{}) {
		t.Pairs = append(t.Pairs, first)
	}
	o.list("certificates", "list of mappings", "", func(n *yaml.Node, path string) {
		o.d.object(n, path, func(o *object) { t.Pairs = append(t.Pairs, readPair(o, true)) })
	})
	issuer := &certs.ACME{}
	if o.sub("acme", func(o *object) { readACME(o, issuer, listen) }) {
		t.ACME = issuer
	}
	o.text("client_ca", &t.ClientCA.Text)
	t.ClientCA.File = o.file("client_ca")
	if t.ClientCA.Text != "" {
		if err := certs.CheckCA(t.ClientCA.Text); err != nil {
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
// used, or is missing if it must be there. It never quotes the key.
func readPair(o *object, must bool) certs.Pair {
	var p certs.Pair
	var key auth.Secret
	o.text("cert", &p.Cert.Text)
	o.secret("key", &key)
	p.Key.Text = string(key)
	p.Cert.File, p.Key.File = o.file("cert"), o.file("key")
	if p.Cert.Text == "" && must {
		o.report("cert", errors.New("expected a certificate in PEM, in cert or cert_file, found none"))
	}
	if p.Key.Text == "" && must {
		o.report("key", errors.New("expected a private key in PEM, in key or key_file, found none"))
	}
	if p.Cert.Text != "" && p.Key.Text != "" {
		if err := p.Check(); err != nil {
			o.report("cert", err)
		}
	}
	return p
}

// readACME reads where certificates come from that nobody has to copy.
func readACME(o *object, a *certs.ACME, listen *Listen) {
	o.oneOrMore("hosts", "name", func(text string) error {
		host := strings.ToLower(text)
		if !strings.Contains(host, ".") || strings.ContainsAny(host, "*:/@ \t") || strings.Trim(host, ".") != host || net.ParseIP(host) != nil {
			return fmt.Errorf("expected the name of a host with a dot, such as gw.example.com, found %q", text)
		}
		a.Hosts = append(a.Hosts, host)
		return nil
	})
	if !o.has("hosts") {
		o.report("hosts", errors.New("expected the names that get certificates, found none"))
	}
	accepted := false
	o.boolean("accept_terms", &accepted)
	if !accepted {
		o.report("accept_terms", errors.New("expected true: certificates come only to who accepts the terms of the server"))
	}
	o.string("email", &a.Email)
	a.Directory = acme.LetsEncryptURL
	o.string("directory", &a.Directory)
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		o.report("directory", fmt.Errorf("expected the URL of an ACME directory, https://…, found %q", a.Directory))
	}
	o.text("directory_ca", &a.CA)
	if a.CA != "" {
		if err := certs.CheckCA(a.CA); err != nil {
			o.report("directory_ca", err)
		}
	}
	a.Cache = "acme"
	o.string("cache", &a.Cache)
	a.Cache = o.d.resolve(a.Cache)
	o.string("http", &listen.ACME)
	if a.HTTP01 = listen.ACME != ""; a.HTTP01 {
		if err := checkAddress(listen.ACME); err != nil {
			o.report("http", err)
		}
	}
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
