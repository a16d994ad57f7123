package redis

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed *.lua
var sources embed.FS

// The scripts. Each begins with what they share; the usual case of appending does
// without most of it.
var (
	scriptClaim    = newScript("attend", "claim")
	scriptBeat     = newScript("attend", "beat")
	scriptLeave    = newScript("attend", "leave")
	scriptSend     = newScript("attend", "send")
	scriptConfig   = newScript("attend", "configure")
	scriptReady    = newScript("ready")
	scriptAppend   = compose("appendplain", "prelude", "append")
	scriptBounds   = newScript("bounds")
	scriptTrim     = newScript("trim")
	scriptRead     = newScript("read")
	scriptSeekTime = newScript("seektime")
	scriptSeekLast = newScript("seeklast")
	scriptPut      = newScript("puttoken")
	scriptReplace  = newScript("replacetoken")
	scriptDelete   = newScript("deltoken")
	scriptExpire   = newScript("expire")

	scriptImportBegin   = newScript("importbegin")
	scriptImportLog     = newScript("importlog")
	scriptImportRecords = newScript("importrecords")
	scriptImportEnd     = newScript("importend")
)

// format is the version of the store, and layout that of the keys which are not
// about nodes: the format in which they were first as they are.
const (
	format = "2"
	layout = "1"
)

// newScript returns a script of the sources with these names behind the prelude.
func newScript(names ...string) *goredis.Script {
	return compose(append([]string{"prelude"}, names...)...)
}

// compose returns a script of the sources with these names.
func compose(names ...string) *goredis.Script {
	var source strings.Builder
	source.WriteString("local FORMAT = '" + format + "'\n")
	for _, name := range append([]string{"constants"}, names...) {
		b, err := sources.ReadFile(name + ".lua")
		if err != nil {
			panic(err) // fixed at build time
		}
		source.Write(b)
	}
	return goredis.NewScript(source.String())
}

// run runs a script by its hash, and has Redis learn it if it must.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	return script.Run(ctx, s.client, keys, args...).Result()
}

// keys are the names of keys. All have the same hash tag, so that a Cluster
// keeps them in one place and a script can use them together.
type keys struct {
	base   string // "{prefix}:1:"
	writer string
	expiry string
	nodes  string
	feed   string

	configuration string
	gateways      string
}

func newKeys(prefix string) keys {
	base := "{" + prefix + "}:" + layout + ":"
	return keys{base: base, writer: "{" + prefix + "}:writer", expiry: base + "expiry", nodes: base + "nodes", feed: base + "feed", configuration: base + "configuration", gateways: base + "gateways"}
}

// ofNodes returns the keys of a script that works on the nodes.
func (k keys) ofNodes() []string {
	return []string{k.writer, k.nodes, k.feed, k.base + "clock", k.configuration, k.gateways}
}

// token returns the key of a token.
func (k keys) token(hash [32]byte) string { return fmt.Sprintf("%stoken:%x", k.base, hash) }

// user returns the key of the index of a user's tokens.
func (k keys) user(realm, user string) string {
	return fmt.Sprintf("%suser:%x", k.base, sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(realm), realm, user)))
}

// class appends the keys of the log of a class.
func (k keys) class(to []string, class string) []string {
	for _, part := range []string{"meta:", "log:", "ids:", "channels:"} {
		to = append(to, k.base+part+class)
	}
	return to
}

// of returns the keys of a script that works on the log of one class.
func (k keys) of(class string) []string {
	return k.class([]string{k.writer}, class)
}

// words returns the texts of a reply; ok is false if it is something else.
func words(reply any) (w []string, ok bool) {
	list, ok := reply.([]any)
	if !ok {
		return nil, false
	}
	w = make([]string, len(list))
	for i, v := range list {
		if w[i], ok = v.(string); !ok {
			return w[:i], i > 0
		}
	}
	return w, true
}

// isNoScript reports whether Redis does not know a script by its hash.
func isNoScript(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT")
}
