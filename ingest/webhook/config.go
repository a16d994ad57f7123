package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// A Secret is what requests are signed with. It is not printed.
type Secret string

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String returns "[redacted]".
func (Secret) String() string { return "[redacted]" }

// GoString returns "[redacted]".
func (Secret) GoString() string { return "[redacted]" }

// prefix is that of secrets in the form of Standard Webhooks.
const prefix = "whsec_"

// key returns the bytes that sign: those that stand behind the prefix in
// base64, or else the secret itself.
func (s Secret) key() ([]byte, error) {
	text, ok := strings.CutPrefix(string(s), prefix)
	if !ok {
		return []byte(s), nil
	}
	return base64.StdEncoding.DecodeString(text)
}

// An Endpoint is where requests go.
type Endpoint struct {
	URL    string // of http or https
	Secret Secret // signs requests; empty: they are not signed

	// Timeout is how long a request may take, with its answer: 100ms to 10m.
	Timeout time.Duration

	// Allow are networks that requests may go to though they are not public.
	Allow []netip.Prefix
}

// Validate reports each bad field. It never prints the secret, nor what of the
// URL may be one.
func (e Endpoint) Validate(report func(field string, err error)) {
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		report("url", errors.New("expected the URL of an endpoint, as https://example.com/hook, found something else"))
	case u.User != nil:
		report("url", errors.New("expected a URL without a user, found one with"))
	}
	key, err := e.Secret.key()
	switch {
	case err != nil:
		report("secret", errors.New("expected base64 behind whsec_, found something else"))
	case e.Secret != "" && (len(key) < 16 || len(key) > 1024):
		report("secret", fmt.Errorf("expected 16 to 1024 bytes (such as: openssl rand -base64 24), found %d", len(key)))
	}
	if e.Timeout < 100*time.Millisecond || e.Timeout > 10*time.Minute {
		report("timeout", fmt.Errorf("must be in 100ms to 10m, not %v", e.Timeout))
	}
}

// A Format is how an event is written.
type Format uint8

// The formats.
const (
	JSON        Format = iota // topic, args, kwargs and details, as Crossbar does and more
	CloudEvents               // the structured mode of CloudEvents 1.0
)

// Formats are the names of the formats in a configuration, in their order.
var Formats = []string{"json", "cloudevents"}

// A Config says what a [Hook] forwards, and how.
type Config struct {
	Name string // for the log
	Endpoint
	Format Format
	Source string // of CloudEvents

	// QueueBytes is how much may wait for the endpoint: 4 KiB to 1 GiB.
	QueueBytes int

	// GiveUp is how long an event is tried: 1s to 30 days.
	GiveUp time.Duration

	// Again says that the feed can begin at a position, so that events need not
	// be dropped.
	Again bool

	// Position is where a feed begins that can; see [Feed]. Empty: with what comes
	// from now on.
	Position string

	// Done is told the position of each event that nothing more is to be done about:
	// the endpoint has taken or refused it, or it was given up. The goroutine that
	// sends calls it, in order, so it must return soon. nil: nobody is told.
	Done func(position string)

	// Held is asked before each request whether this hook may send it. When it says
	// no, the hook sends nothing any more and waits for Close. It may be called
	// concurrently. nil: it always may.
	Held func() bool
}
