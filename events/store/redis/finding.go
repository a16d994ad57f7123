package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
)

// A finding is what an error means.
type finding struct {
	what     string
	detail   string // more about it; may name hosts; may be empty
	advice   string // may be empty
	answered bool   // by who is at the place
	sentinel bool   // it is about Sentinel, not Redis
	full     bool   // there is no room
}

// An answer is a kind of error that Redis answers with.
type answer struct {
	code    string // begins the answer, or stands in it if it begins with "…"
	what    string
	advice  string
	quoted  bool // the answer says more
	passing bool // it may be gone in a moment
	full    bool
}

// The words for what several answers mean, and for what is to be done about
// several of them.
const (
	wrongPassword = "does not accept the user or the password"
	noPermission  = "does not give this user all permissions that it needs"
	movingKeys    = "is moving the keys"

	correctPassword = "correct user and password, in the URL or at redis.password"
	correctRights   = "give the user the permissions that docs/configuration.md lists"
	awaitPrimary    = "is it the primary's place? With Sentinel or a Cluster, redis+sentinel:// or redis+cluster:// finds the primary"
)

// answers is what Redis says when it does not do what it is asked. They are in
// the order in which they are looked for.
var answers = []answer{
	{code: "…No space left on device", what: "has no room on its disk", full: true},
	{code: "OOM", what: "has used all the memory that it may use", advice: "give it more with maxmemory, or have classes retain less", full: true},
	{code: "READONLY", what: "is a replica that can only be read", advice: awaitPrimary, passing: true},
	{code: "LOADING", what: "is loading its data", passing: true},
	{code: "MASTERDOWN", what: "is a replica that has lost its primary", advice: awaitPrimary, passing: true},
	{code: "CLUSTERDOWN Hash slot not served", what: "is a Cluster in which no server has the slot of the store", advice: "have its servers take all slots: redis-cli --cluster fix", passing: true},
	{code: "CLUSTERDOWN", what: "is a Cluster of which a part is down", passing: true},
	{code: "TRYAGAIN", what: movingKeys, passing: true},
	{code: "MOVED", what: movingKeys, passing: true},
	{code: "ASK", what: movingKeys, passing: true},
	{code: "NOREPLICAS", what: "has too few replicas to write", advice: "start its replicas, or ask for fewer with min-replicas-to-write", passing: true},
	{code: "BUSY", what: "is busy with a script", passing: true},
	{code: "UNBLOCKED", what: "is changing its role", passing: true},
	{code: "…max number of clients", what: "has too many clients", advice: "let it take more with maxclients", passing: true},
	{code: "MISCONF", what: "cannot save its data", advice: "see its log; its disk may be full", quoted: true},
	{code: "DENIED", what: "takes connections from its own machine only", advice: "give it a password, which ends its protected mode"},
	{code: "NOAUTH", what: "wants a password", advice: "give one in the URL or at redis.password"},
	{code: "WRONGPASS", what: wrongPassword, advice: correctPassword},
	{code: "ERR AUTH", what: wrongPassword, advice: correctPassword},
	{code: "ERR invalid password", what: wrongPassword, advice: correctPassword},
	{code: "NOPERM", what: noPermission, advice: correctRights, quoted: true},
	{code: "ERR ACL failure in script", what: noPermission, advice: correctRights, quoted: true},
	{code: "…can't run this command", what: noPermission, advice: correctRights, quoted: true},
	{code: "WRONGTYPE", what: "has keys of another program under the prefix", advice: "choose another redis.prefix"},
	{code: "ERR DB index is out of range", what: "has no database of that number", advice: "correct the number at the end of the URL, or give Redis more with databases"},
	{code: "…SELECT is not allowed in cluster mode", what: "is a Cluster, which has only one database", advice: "leave the number at the end of the URL out, and write redis+cluster://"},
	{code: "…cluster support disabled", what: "is no Cluster", advice: "write redis:// in place of redis+cluster://"},
	{code: "ERR unknown command", what: "does not know a command that is needed", advice: "is it Redis 6.2 or newer, or Valkey, and not Sentinel?", quoted: true},
}

// find says what an error means that was made at the place.
func (p *place) find(err error) finding {
	f := p.cause(err)
	f.sentinel = p.kind == sentinel && strings.Contains(err.Error(), "all sentinels")
	if f.sentinel && errors.Is(err, goredis.Nil) {
		f = finding{what: "knows no primary of that name", advice: "correct the name after the hosts, or tell Sentinel of it", answered: true, sentinel: true}
	}
	if f.sentinel && strings.Contains(f.advice, "redis.password") {
		f.advice = "correct redis.sentinel_user and redis.sentinel_password"
	}
	return f
}

func (p *place) cause(err error) finding {
	if a, ok := answerOf(err); ok {
		f := finding{what: a.what, advice: a.advice, answered: true, full: a.full}
		switch {
		case a.quoted:
			f.detail = strings.TrimSpace(inScript(err.Error()))
		case a.what == movingKeys && p.kind == single:
			f.what, f.advice = "is one server of a Cluster", "write redis+cluster:// in place of redis://"
		}
		return f
	}
	for _, own := range []struct {
		err          error
		what, advice string
	}{
		{errNoInfo, "does not tell which process it is", "let its user run INFO, or run one gateway only"},
		{errFormat, "has a store of another version", "use a newer wireroom"},
		{errImporting, "has a part of a store", "import again, or remove its keys"},
		{errAway, "took this gateway for gone", ""},
		{errStale, "has changed the log meanwhile", ""},
		{errTaken, "has no part of this import any more", "import again"},
		{errDamaged, "has a damaged store", "wireroom store verify says more"},
	} {
		if errors.Is(err, own.err) {
			return finding{what: own.what, detail: err.Error(), advice: own.advice, answered: true}
		}
	}
	if f, ok := p.connection(err); ok {
		return f
	}
	if strings.Contains(err.Error(), "cluster has no nodes") {
		return finding{what: "is a Cluster of which no server has slots", advice: "have its servers take all slots: redis-cli --cluster create", answered: true}
	}
	return finding{what: "does not answer as it should", detail: err.Error(), answered: true}
}

// connection says what an error means that is about a connection, and not about
// what came over it.
func (p *place) connection(err error) (f finding, ok bool) {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	untrusted, isUntrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, isPlain := errors.AsType[tls.RecordHeaderError](err)
	errno, isErrno := errors.AsType[syscall.Errno](err)
	switch {
	case isDNS && dns.IsNotFound:
		f = finding{what: "cannot be found, as nobody knows its host", advice: "is the name right?"}
	case isDNS:
		f = finding{what: "cannot be found, as DNS does not answer", advice: "does DNS work on this machine?"}
	case isUntrusted:
		return finding{
			what: "has a certificate that is not trusted", detail: untrusted.Err.Error(),
			advice: "give the certificate of who signed it at redis.ca_file, and the name that it is for in the URL", answered: true,
		}, true
	case isAlert(err):
		return finding{what: "ends the TLS handshake", detail: err.Error(), answered: true}, true
	case isPlain:
		return finding{what: "does not speak TLS", advice: "write redis:// in place of rediss://, or give the port for TLS", answered: true}, true
	case strings.Contains(err.Error(), `\x15\x03`): // an alert, as somebody has written
		return finding{what: "speaks TLS only", advice: "write rediss:// in place of redis://", answered: true}, true
	case strings.Contains(err.Error(), "redis: can't parse") || strings.Contains(err.Error(), "redis: invalid reply"):
		return finding{what: "does not speak the protocol of Redis", advice: "is that its port?", answered: true}, true
	case errors.Is(err, syscall.ECONNREFUSED):
		f = finding{what: "refuses connections", advice: "is it running, and does it listen there?"}
	case errors.Is(err, os.ErrNotExist) && p.kind == unix:
		f = finding{what: "is not there, as there is no such socket", advice: "is it running, and is that its unixsocket?"}
	case errors.Is(err, os.ErrPermission) && p.kind == unix:
		f = finding{what: "has a socket that this user may not open", advice: "let the gateway's user write the socket, as with unixsocketperm"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, os.ErrPermission):
		f = finding{what: "cannot be reached from here", advice: "is there a way to its network, which no firewall forbids?"}
		if isErrno {
			f.detail = errno.Error()
		}
	case isTimeout(err) && p.tls:
		f = finding{what: "does not answer in time", advice: "does it speak TLS there? rediss:// is with, redis:// without. Does a firewall drop what is sent?"}
	case isTimeout(err):
		f = finding{what: "does not answer in time", advice: "is it busy, or does a firewall drop what is sent?"}
	case isBroken(err):
		f = finding{what: "has closed the connection", advice: "its log may say why."}
		if !p.tls && p.kind != unix {
			f.advice = "does it speak TLS only, for which one writes rediss://? Its log may say why."
		}
		if isErrno {
			f.detail = errno.Error()
		}
	default:
		return f, false
	}
	if op, is := errors.AsType[*net.OpError](err); is && op.Addr != nil && len(p.addrs) > 1 && f.detail == "" {
		f.detail = op.Addr.String() // of several
	}
	return f, true
}

func answerOf(err error) (found answer, ok bool) {
	e, isAnswer := errors.AsType[goredis.Error](err)
	if !isAnswer {
		return found, false
	}
	text := inScript(e.Error())
	for _, a := range answers {
		inside, anywhere := strings.CutPrefix(a.code, "…")
		if anywhere && strings.Contains(text, inside) || !anywhere && strings.HasPrefix(text, a.code) {
			return a, true
		}
	}
	return found, false
}

// inScript returns what a command in a script was answered, if that is what the
// text tells, and otherwise the text. Redis 7 and Valkey begin with that answer,
// and Redis 6.2 has it after the places at which the script called the command:
// "ERR Error running script (call to f_…): @user_script:9: @user_script: 9: -OOM …".
func inScript(text string) string {
	rest, ok := strings.CutPrefix(text, "ERR Error running script ")
	if !ok {
		return text
	}
	_, rest, _ = strings.Cut(rest, "): ")
	for strings.HasPrefix(rest, "@user_script:") {
		line, answer, ok := strings.Cut(strings.TrimPrefix(rest, "@user_script:"), ": ")
		if !ok || strings.Trim(line, " 0123456789") != "" {
			return text
		}
		rest = answer
	}
	return strings.TrimPrefix(rest, "-")
}

// passes reports whether another attempt at the place may succeed soon.
func (p *place) passes(err error) bool {
	a, ok := answerOf(err)
	return passing(err) && !(ok && a.what == movingKeys && p.kind == single)
}

// passing reports whether another attempt may succeed soon.
func passing(err error) bool {
	if a, ok := answerOf(err); ok {
		return a.passing
	}
	if _, ok := errors.AsType[goredis.Error](err); ok {
		return false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || isAlert(err) {
		return false
	}
	return isTimeout(err) || isBroken(err)
}

// isAlert reports whether the other side has ended TLS, and says why.
func isAlert(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "remote error"
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, goredis.ErrPoolTimeout) || ok && e.Timeout()
}

// isBroken reports whether a connection could not be made, or broke.
func isBroken(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	_, system := errors.AsType[syscall.Errno](err)
	return ok || system || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
