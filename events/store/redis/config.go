package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Config says where a store is and how it is used. Start from
// [DefaultConfig].
type Config struct {
	// URL says where Redis is; see [CheckURL].
	URL string

	// Password is used if the URL has none.
	Password string

	// SentinelUser and SentinelPassword are for the Sentinels themselves, with
	// a URL of redis+sentinel, if they want a password; without a user, that
	// of their default user.
	SentinelUser     string
	SentinelPassword string

	// CA has certificates in PEM that vouch for Redis, with TLS; empty: those
	// of the system.
	CA string

	// Prefix begins the name of every key: 1 to 64 letters, digits, '.', '_'
	// and '-'. Stores with different prefixes do not know of each other.
	Prefix string

	// Node is the name of this gateway, for people: 1 to 64 letters, digits, '.',
	// '_' and '-'; empty: the name of the machine and six random letters.
	Node string

	// Timeout is how long the store tries before it says that Redis is not
	// available, 100ms to 1m. One attempt may take half of it.
	Timeout time.Duration

	// Waiting, if not nil, is told why a first attempt to open the store has
	// failed, if others may help, for which Timeout is left: once for each part
	// of opening it. It is called by who opens the store.
	Waiting func(e *Error)

	// BatchRecords and BatchBytes bound what one call of a script appends,
	// which always has at least one request: Redis does nothing else
	// meanwhile. At least 1.
	BatchRecords int
	BatchBytes   int

	// QueueRecords and QueueBytes bound what waits for the committer. At
	// least 1.
	QueueRecords int
	QueueBytes   int
}

// DefaultConfig returns the defaults, which lack the URL.
func DefaultConfig() Config {
	return Config{
		Prefix:       "wireroom",
		Timeout:      4 * time.Second,
		BatchRecords: 512,
		BatchBytes:   1 << 20,
		QueueRecords: 32_768,
		QueueBytes:   128 << 20,
	}
}

// Validate reports each field that is out of its range, named in lower case
// with underscores, as "batch_records".
func (c Config) Validate(report func(path string, err error)) {
	p, err := parseURL(c.URL)
	if err != nil {
		report("url", err)
	}
	if c.SentinelPassword != "" && err == nil && p.kind != sentinel {
		report("sentinel_password", errors.New("expected only with redis+sentinel://, found with another URL"))
	}
	if c.SentinelUser != "" && c.SentinelPassword == "" {
		report("sentinel_user", errors.New("expected only with a password, found without one"))
	}
	if c.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.CA)) {
		report("ca", errors.New("expected certificates in PEM, found none"))
	}
	if !validName(c.Prefix) {
		report("prefix", fmt.Errorf("expected 1 to 64 letters, digits, '.', '_' and '-', found %.80q", c.Prefix))
	}
	if c.Node != "" && !validName(c.Node) {
		report("node", fmt.Errorf("expected 1 to 64 letters, digits, '.', '_' and '-', found %.80q", c.Node))
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > time.Minute {
		report("timeout", fmt.Errorf("expected 100ms to 1m, found %v", c.Timeout))
	}
	for _, f := range []struct {
		path string
		v    int
	}{
		{"batch_records", c.BatchRecords},
		{"batch_bytes", c.BatchBytes},
		{"queue_records", c.QueueRecords},
		{"queue_bytes", c.QueueBytes},
	} {
		if f.v < 1 {
			report(f.path, fmt.Errorf("must be at least 1, not %d", f.v))
		}
	}
}

// validName keeps out what has a meaning in a pattern, a hash tag or a line.
func validName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// A kind is how the servers behind a URL belong together.
type kind string

const (
	single   kind = ""
	sentinel kind = "sentinel"
	cluster  kind = "cluster"
	unix     kind = "unix"
)

// A place is what a URL says.
type place struct {
	kind           kind
	tls            bool
	user, password string
	addrs          []string // host:port, or the path of a socket
	primary        string   // its name, with Sentinel
	db             int
}

// CheckURL says what is wrong with the URL of a store. It never quotes it, as
// it may hold a password. These are URLs of stores:
//
//	redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]
//	redis+unix://[[USER]:PASSWORD@]/PATH[?db=DB]
//	redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/PRIMARY[/DB]
//	redis+cluster://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]
//
// With rediss in place of redis, all connections are TLS.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// IsURL reports whether text is meant to be the URL of a store.
func IsURL(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	name, _, _ := strings.Cut(scheme, "+")
	return ok && (name == "redis" || name == "rediss")
}

// Redacted returns the URL of a store without its password.
func Redacted(text string) string {
	p, err := parseURL(text)
	if err != nil {
		return "redis"
	}
	return p.String()
}

// String returns the URL without its password.
func (p *place) String() string {
	scheme := "redis"
	if p.tls {
		scheme = "rediss"
	}
	if p.kind != single {
		scheme += "+" + string(p.kind)
	}
	s := scheme + "://" + strings.Join(p.addrs, ",")
	if p.primary != "" {
		s += "/" + p.primary
	}
	switch {
	case p.db > 0 && p.kind == unix:
		s += "?db=" + strconv.Itoa(p.db)
	case p.db > 0:
		s += "/" + strconv.Itoa(p.db)
	}
	return s
}

func parseURL(text string) (*place, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	name, kindName, _ := strings.Cut(scheme, "+")
	p := &place{kind: kind(kindName), tls: name == "rediss"}
	if !ok || name != "redis" && name != "rediss" {
		return nil, errors.New("expected a URL that begins with redis:// or rediss://, found something else")
	}
	switch p.kind {
	case single, sentinel, cluster:
	case unix:
		if p.tls {
			return nil, errors.New("expected redis+unix://, as a socket in the file system has no TLS, found rediss+unix://")
		}
	default:
		return nil, fmt.Errorf("expected redis, redis+unix, redis+sentinel or redis+cluster before ://, found redis+%.20s", kindName)
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if p.kind != unix && strings.Contains(path, "@") {
		// What looks like host, port and path may be a password.
		return nil, errors.New("expected nothing with @ after the first / behind the host, found some; in a password, / is written as %2F")
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		var err error
		user, password, _ := strings.Cut(authority[:at], ":")
		if p.user, err = url.PathUnescape(user); err == nil {
			p.password, err = url.PathUnescape(password)
		}
		if err != nil {
			return nil, errors.New("expected the user and the password with % as %25 and @ as %40, found a % that begins no such thing")
		}
		authority = authority[at+1:]
	}
	if p.kind == unix {
		return p, p.socket(authority, path, query)
	}
	if query != "" {
		return nil, errors.New("expected nothing after a question mark in the URL, found something")
	}
	port := "6379"
	if p.kind == sentinel {
		port = "26379"
	}
	for host := range strings.SplitSeq(authority, ",") {
		addr, err := address(host, port)
		if err != nil {
			return nil, err
		}
		p.addrs = append(p.addrs, addr)
	}
	if p.kind == single && len(p.addrs) > 1 {
		return nil, errors.New("expected one host, found several: redis+sentinel:// or redis+cluster:// can have them")
	}
	if p.kind == sentinel {
		if p.primary, path, _ = strings.Cut(path, "/"); p.primary == "" {
			return nil, errors.New("expected the name of the primary after the hosts of Sentinel, as in redis+sentinel://host/mymaster, found none")
		}
	}
	if p.kind == cluster && path != "" && path != "0" {
		return nil, errors.New("expected no database, as a Cluster has only one, found one")
	}
	return p, p.database(path)
}

// socket reads what follows the scheme if that is a path.
func (p *place) socket(authority, path, query string) error {
	if authority != "" || path == "" {
		return errors.New("expected the path of a socket, as in redis+unix:///run/redis/redis.sock, found none")
	}
	p.addrs = []string{"/" + path}
	key, value, _ := strings.Cut(query, "=")
	if query != "" && key != "db" {
		return errors.New("expected ?db=NUMBER after the path of the socket, found something else")
	}
	return p.database(value)
}

func (p *place) database(text string) (err error) {
	if text == "" {
		return nil
	}
	if p.db, err = strconv.Atoi(text); err != nil || p.db < 0 || p.db > 1<<20 {
		return fmt.Errorf("expected the number of a database, found %.20q", text)
	}
	return nil
}

// address returns host:port with the port that was left out.
func address(text, port string) (string, error) {
	host, given, err := net.SplitHostPort(text)
	switch {
	case err == nil:
	case strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]"):
		host, given = text[1:len(text)-1], port
	case !strings.Contains(text, ":"):
		host, given = text, port
	}
	n, err := strconv.Atoi(given)
	if host == "" || err != nil || n < 1 || n > 65535 || strings.ContainsAny(host, " \t@/[]") {
		return "", fmt.Errorf("expected host:port, found %.80q", text)
	}
	return net.JoinHostPort(host, given), nil
}

// tlsConfig returns how connections are encrypted, or nil.
func (p *place) tlsConfig(ca string) *tls.Config {
	if !p.tls {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM([]byte(ca)) // Validate looked
	}
	return c
}
