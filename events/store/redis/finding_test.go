package redis_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/wireroom/wireroom/events/store/redis"
)

// What is wrong is said once, with where it is and, if there is something to be
// done, that.
func TestErrorTexts(t *testing.T) {
	const (
		plain    = "redis://:secret@db:6379"
		overTLS  = "rediss://:secret@db:6379"
		socket   = "redis+unix:///run/redis.sock"
		watched  = "redis+sentinel://:secret@a,b/mymaster"
		several  = "redis+cluster://:secret@a,b"
		running  = "is it running, and does it listen there?"
		isClosed = "does it speak TLS only, for which one writes rediss://? Its log may say why."
	)
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 6379}, Err: err}
	}
	sentinels := func(errs ...error) error {
		return fmt.Errorf("redis: all sentinels specified in configuration are unreachable: %w", errors.Join(errs...))
	}
	for _, test := range []struct {
		url      string
		err      error
		text     string // after "cannot open the store: "
		advice   string
		answered bool
		again    bool
	}{
		// No connection.
		{plain, dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "Redis at redis://db:6379 refuses connections", running, false, true},
		{several, dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "Redis at redis+cluster://a:6379,b:6379 refuses connections: 10.0.0.7:6379", running, false, true},
		{watched, sentinels(dial(syscall.ECONNREFUSED), dial(syscall.ECONNREFUSED)), "Sentinel at redis+sentinel://a:26379,b:26379/mymaster refuses connections: 10.0.0.7:6379", running, false, true},
		{socket, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ENOENT)}, "Redis at redis+unix:///run/redis.sock is not there, as there is no such socket", "is it running, and is that its unixsocket?", false, true},
		{socket, &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}, "Redis at redis+unix:///run/redis.sock has a socket that this user may not open", "let the gateway's user write the socket, as with unixsocketperm", false, true},
		{plain, dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "Redis at redis://db:6379 cannot be reached from here: no route to host", "is there a way to its network, which no firewall forbids?", false, true},
		{plain, dial(os.NewSyscallError("connect", syscall.EPERM)), "Redis at redis://db:6379 cannot be reached from here: operation not permitted", "is there a way to its network, which no firewall forbids?", false, true},
		{plain, dial(&net.DNSError{Err: "no such host", Name: "db", IsNotFound: true}), "Redis at redis://db:6379 cannot be found, as nobody knows its host", "is the name right?", false, true},
		{plain, dial(&net.DNSError{Err: "server misbehaving", Name: "db", IsTemporary: true}), "Redis at redis://db:6379 cannot be found, as DNS does not answer", "does DNS work on this machine?", false, true},
		{plain, dial(os.ErrDeadlineExceeded), "Redis at redis://db:6379 does not answer in time", "is it busy, or does a firewall drop what is sent?", false, true},
		{overTLS, context.DeadlineExceeded, "Redis at rediss://db:6379 does not answer in time", "does it speak TLS there? rediss:// is with, redis:// without. Does a firewall drop what is sent?", false, true},
		{plain, io.EOF, "Redis at redis://db:6379 has closed the connection", isClosed, false, true},
		{overTLS, io.EOF, "Redis at rediss://db:6379 has closed the connection", "its log may say why.", false, true},
		{plain, &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "Redis at redis://db:6379 has closed the connection: connection reset by peer", isClosed, false, true},

		// Another protocol.
		{overTLS, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "Redis at rediss://db:6379 does not speak TLS", "write redis:// in place of rediss://, or give the port for TLS", true, false},
		{overTLS, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "Redis at rediss://db:6379 has a certificate that is not trusted: x509: certificate signed by unknown authority", "give the certificate of who signed it at redis.ca_file, and the name that it is for in the URL", true, false},
		{overTLS, &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, "Redis at rediss://db:6379 ends the TLS handshake: remote error: tls: certificate required", "", true, false},
		{plain, errors.New(`redis: can't parse map reply: "HTTP/1.1 400 Bad Request"`), "Redis at redis://db:6379 does not speak the protocol of Redis", "is that its port?", true, false},
		{plain, errors.New(`redis: can't parse map reply: "\x15\x03\x01"`), "Redis at redis://db:6379 speaks TLS only", "write rediss:// in place of redis://", true, false},

		// What Redis says.
		{plain, answer("NOAUTH Authentication required."), "Redis at redis://db:6379 wants a password", "give one in the URL or at redis.password", true, false},
		{plain, answer("WRONGPASS invalid username-password pair or user is disabled."), "Redis at redis://db:6379 does not accept the user or the password", "correct user and password, in the URL or at redis.password", true, false},
		{plain, answer("NOPERM this user has no permissions to run the 'xadd' command"), "Redis at redis://db:6379 does not give this user all permissions that it needs: NOPERM this user has no permissions to run the 'xadd' command", "give the user the permissions that docs/configuration.md lists", true, false},
		{plain, answer("DENIED Redis is running in protected mode because protected mode is enabled …"), "Redis at redis://db:6379 takes connections from its own machine only", "give it a password, which ends its protected mode", true, false},
		{plain, answer("LOADING Redis is loading the dataset in memory"), "Redis at redis://db:6379 is loading its data", "", true, true},
		{plain, answer("READONLY You can't write against a read only replica."), "Redis at redis://db:6379 is a replica that can only be read", "is it the primary's place? With Sentinel or a Cluster, redis+sentinel:// or redis+cluster:// finds the primary", true, true},
		{plain, answer("ERR DB index is out of range"), "Redis at redis://db:6379 has no database of that number", "correct the number at the end of the URL, or give Redis more with databases", true, false},
		{plain, answer("ERR unknown command 'EVALSHA', with args beginning with: "), "Redis at redis://db:6379 does not know a command that is needed: ERR unknown command 'EVALSHA', with args beginning with:", "is it Redis 6.2 or newer, or Valkey, and not Sentinel?", true, false},
		{plain, answer("MOVED 1 10.0.0.8:6379"), "Redis at redis://db:6379 is one server of a Cluster", "write redis+cluster:// in place of redis://", true, false},
		{several, answer("MOVED 1 10.0.0.8:6379"), "Redis at redis+cluster://a:6379,b:6379 is moving the keys", "", true, true},
		{several, answer("CLUSTERDOWN Hash slot not served"), "Redis at redis+cluster://a:6379,b:6379 is a Cluster in which no server has the slot of the store", "have its servers take all slots: redis-cli --cluster fix", true, true},
		{several, answer("CLUSTERDOWN The cluster is down"), "Redis at redis+cluster://a:6379,b:6379 is a Cluster of which a part is down", "", true, true},
		{several, answer("ERR This instance has cluster support disabled"), "Redis at redis+cluster://a:6379,b:6379 is no Cluster", "write redis:// in place of redis+cluster://", true, false},
		{several, errors.New("redis: cluster has no nodes"), "Redis at redis+cluster://a:6379,b:6379 is a Cluster of which no server has slots", "have its servers take all slots: redis-cli --cluster create", true, false},
		{plain, answer("ERR that is new"), "Redis at redis://db:6379 does not answer as it should: ERR that is new", "", true, false},

		// What Sentinel says.
		{watched, sentinels(goredis.Nil, dial(syscall.ECONNREFUSED)), "Sentinel at redis+sentinel://a:26379,b:26379/mymaster knows no primary of that name", "correct the name after the hosts, or tell Sentinel of it", true, false},
		{watched, sentinels(answer("NOAUTH Authentication required.")), "Sentinel at redis+sentinel://a:26379,b:26379/mymaster wants a password", "correct redis.sentinel_user and redis.sentinel_password", true, false},
		{watched, answer("NOAUTH Authentication required."), "Redis at redis+sentinel://a:26379,b:26379/mymaster wants a password", "give one in the URL or at redis.password", true, false},
	} {
		e, again := redis.Explain(test.url, "open the store", test.err)
		if text := "cannot open the store: " + test.text; e.Error() != text || e.Advice != test.advice || e.Answered != test.answered || again != test.again {
			t.Errorf("%v at %s:\n%s\n(%s) answered %t, again %t; want\n%s\n(%s) answered %t, again %t",
				test.err, test.url, e, e.Advice, e.Answered, again, text, test.advice, test.answered, test.again)
		}
		if !errors.Is(e, test.err) {
			t.Errorf("%v at %s: the error does not wrap it", test.err, test.url)
		}
		// Anybody may read it.
		if reason := e.Reason(); strings.Contains(reason, "10.0.0") || strings.Contains(reason, "//") || !strings.HasSuffix(strings.SplitN(test.text, ": ", 2)[0], e.What) {
			t.Errorf("%v at %s: the reason is %q", test.err, test.url, reason)
		}
	}
}

// Whoever waits for Redis is told at once why, and in the end for how long.
func TestWaiting(t *testing.T) {
	c := redis.DefaultConfig()
	c.URL, c.Timeout = "redis://"+net.JoinHostPort("127.0.0.1", port(t)), 100*time.Millisecond
	var told []string
	c.Waiting = func(e *redis.Error) { told = append(told, e.Reason()) }
	open := map[string]func() error{
		"Open":       func() error { _, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler)); return err },
		"OpenView":   func() error { _, err := redis.OpenView(t.Context(), c); return err },
		"OpenImport": func() error { _, err := redis.OpenImport(t.Context(), c); return err },
	}
	for name, f := range open {
		told = nil
		err := f()
		if want := "refuses connections; tried for 100ms"; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want …%s", name, err, want)
		}
		if want := []string{"Redis refuses connections"}; !slices.Equal(told, want) {
			t.Errorf("%s: it was told %q, want %q", name, told, want)
		}
	}

	// What no other attempt can help is not waited for.
	sv := start(t)
	sv.do("CONFIG", "SET", "requirepass", "hunter2")
	c.URL, c.Timeout, told = sv.url(), time.Minute, nil
	if _, err := redis.Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.HasSuffix(err.Error(), "wants a password") {
		t.Errorf("without a password: %v", err)
	}
	if len(told) > 0 {
		t.Errorf("without a password it was told %q", told)
	}
}
