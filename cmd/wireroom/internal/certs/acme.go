package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	// askEvery is how often the manager is asked for the certificate that it
	// has, which it renews by itself.
	askEvery = 10 * time.Minute

	// After a failure a certificate is asked for again after firstPause, and
	// then after twice as long each time, up to lastPause: servers limit how
	// often one may fail.
	firstPause = time.Minute
	lastPause  = time.Hour
)

// An ACME says where certificates are had from that nobody has to copy (RFC
// 8555). Having one is to accept the terms of the server.
type ACME struct {
	Hosts     []string // the names that get a certificate each, in lower case
	Email     string   // whom the server may write to; may be empty
	Directory string   // URL of the server's directory; empty: Let's Encrypt
	CA        string   // who vouches for the server, in PEM; empty: those of the system
	Cache     string   // folder for keys and certificates; it need not exist

	// HTTP01 has challenges answered by [Keeper.Challenges], too, and not by
	// the TLS listeners alone (TLS-ALPN-01), which then must be reachable on
	// port 443.
	HTTP01 bool
}

// An issuing gets certificates from an ACME server. Handshakes never wait for
// one: each host has a goroutine, which asks for it, and hands it to Run.
type issuing struct {
	// Fixed at construction.
	hosts   []string
	manager *autocert.Manager
	handler http.Handler // of HTTP-01; may be nil
	log     *slog.Logger
}

// issued is a certificate that has come for a host.
type issued struct {
	host string
	cert *tls.Certificate
}

func newIssuing(cfg *ACME, log *slog.Logger) (*issuing, error) {
	client := &acme.Client{DirectoryURL: cfg.Directory, UserAgent: "wireroom"}
	if cfg.CA != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(cfg.CA)) {
			return nil, errors.New("acme: expected certificates in PEM of who vouches for the server, found none")
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		client.HTTPClient = &http.Client{Transport: transport}
	}
	s := &issuing{hosts: cfg.Hosts, log: log, manager: &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(cfg.Cache),
		HostPolicy: autocert.HostWhitelist(cfg.Hosts...),
		Email:      cfg.Email,
		Client:     client,
	}}
	if cfg.HTTP01 {
		s.handler = withoutPort(s.manager.HTTPHandler(nil))
	}
	return s, nil
}

// withoutPort has next see the host that a client asks for alone: the manager
// does not know names with ports, which clients send if they came by another
// one than 80.
func withoutPort(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host
		}
		next.ServeHTTP(w, r)
	})
}

// run gets the certificates of all hosts until ctx is done. It may take a few
// seconds more if a server is just being asked.
func (s *issuing) run(ctx context.Context, out chan<- issued) {
	client := s.manager.Client
	client.HTTPClient = &http.Client{Transport: until{ctx, client.HTTPClient}}
	var wg sync.WaitGroup
	for _, host := range s.hosts {
		wg.Go(func() { s.keep(ctx, host, out) })
	}
	wg.Wait()
}

// until sends requests by a client until a context is done. The manager's own
// contexts know nothing of it.
type until struct {
	ctx    context.Context
	client *http.Client // nil: the default
}

// RoundTrip implements [http.RoundTripper].
func (u until) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := context.Cause(u.ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(u.ctx, cancel)
	next := http.DefaultTransport
	if u.client != nil {
		next = u.client.Transport
	}
	resp, err := next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	resp.Body = &body{resp.Body, func() {
		stop()
		cancel()
	}}
	return resp, nil
}

// A body calls done when it is closed.
type body struct {
	io.ReadCloser
	done func()
}

// Close implements [io.Closer].
func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// keep gets the certificate of one host, again and again.
func (s *issuing) keep(ctx context.Context, host string, out chan<- issued) {
	// The kind of certificate that every client of these days takes.
	hello := &tls.ClientHelloInfo{ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
	pause := firstPause
	for {
		wait := askEvery
		if cert, err := s.manager.GetCertificate(hello); err == nil {
			pause = firstPause
			select {
			case out <- issued{host, cert}:
			case <-ctx.Done():
				return
			}
		} else if ctx.Err() == nil {
			wait = pause
			s.log.Error("no certificate from the ACME server", "host", host, "err", err, "again_in", pause)
			pause = min(2*pause, lastPause)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// take puts a certificate into use that has come.
func (k *Keeper) take(i issued) {
	now := k.now.Load()
	if old := now.hosts[i.host]; old != nil && slices.EqualFunc(old.Certificate, i.cert.Certificate, bytes.Equal) {
		return // the manager makes a new value of it each time
	}
	next := *now
	next.hosts = maps.Clone(next.hosts)
	next.hosts[i.host] = i.cert
	k.now.Store(&next)
	k.log.Info("certificate from the ACME server", "host", i.host, "expires", i.cert.Leaf.NotAfter)
}

// challenged reports whether it is an ACME server that wants to see who answers
// here (RFC 8737), and nothing else.
func challenged(hello *tls.ClientHelloInfo) bool {
	return slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto})
}

// issued returns the certificate of the host that the client asks for, if it
// comes from an ACME server and has come; and which host that is if not.
func (k *Keeper) issued(m *material, name string) (c *tls.Certificate, missing string) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if !slices.Contains(k.issuing.hosts, name) {
		if len(m.pairs) > 0 {
			return nil, ""
		}
		name = k.issuing.hosts[0]
	}
	if c := m.hosts[name]; c != nil {
		return c, ""
	}
	return nil, name
}

// Challenges returns what answers challenges over plain HTTP (HTTP-01), and
// sends everybody else to the same address over TLS; nil if that is not
// configured. It is to be served on port 80 of all hosts.
func (k *Keeper) Challenges() http.Handler {
	if k.issuing == nil {
		return nil
	}
	return k.issuing.handler
}

// errNoCertificate ends handshakes for a host whose certificate has not come.
func errNoCertificate(host string) error {
	return fmt.Errorf("there is no certificate for %s yet", host)
}
