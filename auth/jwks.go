package auth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxJWKSBytes is how large a JWK Set may be.
	maxJWKSBytes = 256 << 10

	// jwksTimeout is how long a fetch may take, redirects and all.
	jwksTimeout = 10 * time.Second

	// jwksGap is how long no other fetch is made for a token whose key is not
	// known, after one has ended: so strangers can't have the issuer asked as
	// often as they like.
	jwksGap = 10 * time.Second

	// jwksRetry is after what time a fetch that failed is made again at first;
	// then the time doubles, up to jwksRetryMost.
	jwksRetry     = time.Second
	jwksRetryMost = time.Minute

	maxRedirects = 3
)

// errNoKeys is that the keys that an issuer offers are not known at the moment.
var errNoKeys = errors.New("the issuer's keys are not known")

// A keySet is the keys of a JWK Set at a URL. Run fetches it; others read what
// there is, and may ask for a fetch and wait for it.
type keySet struct {
	// Fixed at construction.
	url        *url.URL
	algorithms []string
	refresh    time.Duration
	stale      time.Duration // how long keys are good after they were fetched
	gap        time.Duration // jwksGap
	client     *http.Client

	known atomic.Pointer[knownKeys] // never nil
	wake  chan struct{}             // has room for one: a fetch is asked for; never closed

	mu      sync.Mutex    // guards the following
	asked   bool          // a fetch is asked for or under way, or will be when run is called
	done    chan struct{} // closed when that has ended, and made again
	ended   time.Time     // when the last one has
	failure error         // how; nil: well
	stopped bool          // run has returned
}

// KnownKeys are what was fetched last. They are not changed.
type knownKeys struct {
	keys []jwk
	good time.Time // until when they are; zero: there are none
}

// newKeySet returns the set at the URL that cfg, which is valid, names. Nothing
// is fetched before run.
func newKeySet(cfg *JWTConfig) *keySet {
	u, err := parseKeysURL(cfg.JWKS)
	if err != nil {
		panic("auth: jwks was not validated: " + err.Error())
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // the next fetch is far away
	transport.MaxResponseHeaderBytes = 64 << 10
	k := &keySet{
		url: u, algorithms: cfg.Algorithms, refresh: cfg.JWKSRefresh, stale: cfg.JWKSStale, gap: jwksGap,
		client: &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		wake:   make(chan struct{}, 1), done: make(chan struct{}), asked: true,
	}
	k.known.Store(new(knownKeys))
	return k
}

// parseKeysURL returns a URL that keys may be fetched from: by https, or by http
// from this machine. Whoever can change what comes over the wire could make
// tokens for everybody.
func parseKeysURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("expected a URL such as https://login.example.com/jwks.json, found something else")
	case u.User != nil:
		return nil, errors.New("expected a URL without a password: the keys are public")
	}
	return u, checkKeysURL(u)
}

func checkKeysURL(u *url.URL) error {
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("expected a URL of https, or of http to this machine (127.0.0.1, localhost), found one of %q", u.Scheme)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("expected at most %d redirects, found more", maxRedirects)
	case req.URL.Scheme != via[0].URL.Scheme:
		return fmt.Errorf("a redirect leads from %s to %q", via[0].URL.Scheme, req.URL.Scheme)
	}
	return checkKeysURL(req.URL)
}

// place is the URL for the log.
func (k *keySet) place() string { return k.url.Scheme + "://" + k.url.Host + k.url.EscapedPath() }

// run fetches the keys until ctx is done: at once, each refresh interval, soon
// again after a failure, and when somebody asks.
func (k *keySet) run(ctx context.Context, log *slog.Logger) {
	log = log.With("url", k.place())
	defer k.stop()
	failures := 0
	for {
		keys, skipped, err := k.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		k.report(log, keys, skipped, err, failures > 0)
		k.finish(keys, err)
		wait := k.refresh
		if err != nil {
			wait = min(k.refresh, jwksRetry<<min(failures, 16), jwksRetryMost)
			failures++
		} else {
			failures = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			k.mu.Lock()
			k.asked = true
			k.mu.Unlock()
		case <-k.wake:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		select {
		case <-k.wake: // both at once are one fetch
		default:
		}
	}
}

// stop tells who waits that no fetch is made any more.
func (k *keySet) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	close(k.done)
	k.done = make(chan struct{})
}

// finish tells who waits that a fetch has ended, and how.
func (k *keySet) finish(keys []jwk, err error) {
	now := time.Now()
	if err == nil {
		k.known.Store(&knownKeys{keys: keys, good: now.Add(k.stale)})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked, k.ended, k.failure = false, now, err
	close(k.done)
	k.done = make(chan struct{})
}

// report logs what came of a fetch, if it is news.
func (k *keySet) report(log *slog.Logger, keys []jwk, skipped []error, err error, failedBefore bool) {
	had := k.known.Load()
	if err != nil {
		until := slog.String("keys", "none: tokens are refused until there are some")
		if had.live(time.Now()) {
			until = slog.Time("keys_good_until", had.good)
		}
		log.LogAttrs(context.Background(), slog.LevelError, "the keys of JWT cannot be fetched", slog.Any("err", err), until)
		return
	}
	if had.same(keys) && !failedBefore {
		return
	}
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.id
	}
	level := slog.LevelInfo
	if len(keys) == 0 {
		level = slog.LevelError
	}
	log.LogAttrs(context.Background(), level, "keys of JWT fetched", slog.Int("usable", len(keys)), slog.Any("kid", ids))
	for _, err := range skipped {
		log.LogAttrs(context.Background(), slog.LevelWarn, "a key of JWT is not used", slog.Any("err", err))
	}
}

// fetch returns the keys that the URL has now, and why others are not used.
func (k *keySet) fetch(ctx context.Context) (keys []jwk, skipped []error, err error) {
	ctx, cancel := context.WithTimeout(ctx, jwksTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, whose query may be nobody's business
		}
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("expected status 200, found %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKSBytes+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read the body: %w", err)
	case len(body) > maxJWKSBytes:
		return nil, nil, fmt.Errorf("expected at most %d bytes, found more", maxJWKSBytes)
	}
	return parseJWKs(body, k.algorithms)
}

// live reports whether the keys are good at now.
func (n *knownKeys) live(now time.Time) bool { return now.Before(n.good) }

// same reports whether these are the keys.
func (n *knownKeys) same(keys []jwk) bool {
	return !n.good.IsZero() && slices.EqualFunc(n.keys, keys, func(a, b jwk) bool {
		k, ok := a.key.(interface{ Equal(crypto.PublicKey) bool })
		return a.id == b.id && a.algorithm == b.algorithm && (!ok || k.Equal(b.key))
	})
}

// find returns the keys that a token with such a header may be signed with.
func (n *knownKeys) find(id, algorithm string) (keys []jwt.VerificationKey) {
	for _, key := range n.keys {
		if key.algorithm == algorithm && (id == "" || key.id == "" || key.id == id) {
			keys = append(keys, key.key)
		}
	}
	return keys
}

// candidates returns the keys that a token with such a header may be signed
// with. If none is known, it asks for a fetch and waits for that. The error
// wraps errNoKeys if the keys of the issuer are not known.
func (k *keySet) candidates(ctx context.Context, id, algorithm string) ([]jwt.VerificationKey, error) {
	known := k.known.Load()
	live := known.live(time.Now())
	if keys := known.find(id, algorithm); live && len(keys) > 0 {
		return keys, nil
	}
	k.await(ctx)
	if known = k.known.Load(); !known.live(time.Now()) {
		return nil, fmt.Errorf("%w: %s: %v", errNoKeys, k.place(), k.lastFailure())
	}
	keys := known.find(id, algorithm)
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no key for %s with the kid %.100q", k.place(), algorithm, id)
	}
	return keys, nil
}

// await waits for the fetch that is under way, or asks for one and waits for
// that, unless one has ended a moment ago. It waits no longer than a fetch may
// take.
func (k *keySet) await(ctx context.Context) {
	k.mu.Lock()
	done := k.done
	switch {
	case k.stopped, !k.asked && time.Since(k.ended) < k.gap:
		k.mu.Unlock()
		return
	case !k.asked:
		k.asked = true
		k.wake <- struct{}{} // has room: it is empty unless asked
	}
	k.mu.Unlock()
	timer := time.NewTimer(jwksTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (k *keySet) lastFailure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure == nil {
		return errors.New("not fetched yet")
	}
	return k.failure
}

// keyID returns the kid in a token's header, "" if there is none.
func keyID(t *jwt.Token) (string, error) {
	v, ok := t.Header["kid"]
	if !ok {
		return "", nil
	}
	id, ok := v.(string)
	if !ok || strings.TrimSpace(id) == "" || len(id) > maxKeyID {
		return "", fmt.Errorf("kid is no text of 1 to %d bytes", maxKeyID)
	}
	return id, nil
}
