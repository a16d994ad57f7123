package redis_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
	"github.com/wireroom/wireroom/events/store/storetest"
)

// port returns a port of the loopback interface that nobody uses now.
func port(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, p, _ := net.SplitHostPort(ln.Addr().String())
	return p
}

// ports returns a port as port does, and the one at which a server of a Cluster is
// then found by others: Redis 6.2 can't be told another one.
func ports(t *testing.T) (p, bus string) {
	t.Helper()
	for {
		p = port(t)
		n, err := strconv.Atoi(p)
		if err != nil {
			t.Fatal(err)
		}
		bus = strconv.Itoa(n + 10_000)
		if ln, err := net.Listen("tcp", "127.0.0.1:"+bus); err == nil {
			ln.Close()
			return p, bus
		}
	}
}

// On a Cluster every script finds all its keys in one slot.
func TestCluster(t *testing.T) {
	p, _ := ports(t)
	sv := start(t, "--cluster-enabled", "yes", "--port", p, "--bind", "127.0.0.1")
	sv.addSlots(0, 16383)
	await(t, "the Cluster is up", func() error {
		if info := fmt.Sprint(sv.do("CLUSTER", "INFO")); !strings.Contains(info, "cluster_state:ok") {
			return errors.New(info)
		}
		return nil
	})
	url := "redis+cluster://127.0.0.1:" + p
	storetest.RunLog(t, func(t *testing.T, dir string) storetest.Log { return open(t, url, named(prefix(dir))) })
	storetest.RunTokens(t, func(t *testing.T, dir string) storetest.Tokens { return open(t, url, named(prefix(dir))) })
	storetest.RunPersistents(t, func(t *testing.T, dir string) storetest.Persistents { return open(t, url, named(prefix(dir))) })
}

// Sentinel makes a replica the primary, and the store goes on there.
func TestSentinel(t *testing.T) {
	ports := []string{port(t), port(t)}
	for i, p := range ports {
		args := []string{"--port", p, "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"}
		if i > 0 {
			args = append(args, "--replicaof", "127.0.0.1", ports[0])
		}
		sv := start(t, args...)
		if i > 0 {
			await(t, "the replica has a primary", func() error {
				if info := fmt.Sprint(sv.do("INFO", "replication")); !strings.Contains(info, "master_link_status:up") {
					return errors.New(info)
				}
				return nil
			})
		}
	}
	watch := startSentinel(t, ports[0])
	s := openFor(t, "redis+sentinel://127.0.0.1:"+watch.port+"/mymaster", time.Minute)
	epoch := mustPost(t, s, record(1))[0].Epoch
	await(t, "Sentinel knows a replica that it can promote", func() error {
		return watch.do("SENTINEL", "FAILOVER", "mymaster")
	})
	await(t, "the replica is the primary", func() error {
		addr, err := watch.sv.raw.Do(context.Background(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster").StringSlice()
		if err == nil && addr[1] != ports[1] {
			err = fmt.Errorf("it is %v", addr)
		}
		return err
	})
	got := mustPost(t, s, record(2), record(1))
	if got[0].Offset != 2 || got[0].Epoch != epoch || !got[1].Duplicate {
		t.Errorf("after a failover without loss, Append gives %+v, and before it the epoch %s", got, epoch)
	}
}

// Sentinels may want a password of their own, which nobody else is told.
func TestSentinelPassword(t *testing.T) {
	p := port(t)
	start(t, "--port", p, "--bind", "127.0.0.1").do("CONFIG", "SET", "requirepass", "primary")
	watch := startSentinel(t, p)
	for _, args := range [][]any{
		{"SENTINEL", "SET", "mymaster", "auth-pass", "primary"},
		{"ACL", "SETUSER", "gateway", "on", ">hunter2", "+@all", "~*", "&*"},
		{"ACL", "SETUSER", "default", "resetpass", ">hunter3"},
	} {
		if err := watch.do(args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ name, user, password, want string }{
		{"no password", "", "", "wants a password"},
		{"another password", "", "hunter9", "does not accept the user or the password"},
		{"another user", "eve", "hunter2", "does not accept the user or the password"},
		{"the password", "", "hunter3", ""},
		{"user and password", "gateway", "hunter2", ""},
	} {
		c := redis.DefaultConfig()
		c.URL, c.Timeout, c.Prefix = "redis+sentinel://:primary@127.0.0.1:"+watch.port+"/mymaster", time.Minute, prefix(test.name)
		c.SentinelUser, c.SentinelPassword = test.user, test.password
		s, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler))
		if test.want != "" {
			wantError(t, err, events.ErrUnavailable, test.want)
			if strings.Contains(fmt.Sprint(err), "hunter") {
				t.Errorf("%s: the error tells a password: %v", test.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		mustPost(t, s, record(1))
		s.Close()
	}
}

type sentinelServer struct {
	sv   *server
	port string
}

func (s *sentinelServer) do(args ...any) error {
	return s.sv.raw.Do(context.Background(), args...).Err()
}

// startSentinel starts a Sentinel that watches the primary at a port.
func startSentinel(t *testing.T, primary string) *sentinelServer {
	t.Helper()
	s := &sentinelServer{port: port(t)}
	s.sv = startSentinelServer(t, s.port)
	for _, args := range [][]any{
		{"SENTINEL", "MONITOR", "mymaster", "127.0.0.1", primary, "1"},
		{"SENTINEL", "SET", "mymaster", "down-after-milliseconds", "1000"},
	} {
		if err := s.do(args...); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := port(t)
	start(t, "--tls-port", p, "--bind", "127.0.0.1", "--tls-auth-clients", "no", "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"))
	s := open(t, "rediss://127.0.0.1:"+p, func(c *redis.Config) { c.CA = cert })
	defer s.Close()
	mustPost(t, s, record(1))

	c := redis.DefaultConfig()
	c.URL = "rediss://127.0.0.1:" + p
	_, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler))
	wantError(t, err, events.ErrUnavailable, "has a certificate that is not trusted")
}

// certificate returns a certificate of 127.0.0.1 that vouches for itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", pkcs8)
}
