//go:build linux

package bench

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A target is a server to be measured: one that runs, or one that the run
// starts anew for each round.
type target struct {
	name  string
	url   string  // where it is; empty if it is spawned
	procs process // its processes; empty if unknown or spawned
	spawn string  // what to start: a key of spawners; empty if it runs
}

// floor reports whether the target is the write loop, to which the others
// are compared.
func (t *target) floor() bool { return t.spawn == spawnWriteLoop }

// A server is a target that is up.
type server struct {
	url       string
	httpURL   string // where it takes events; empty: at url
	procs     process
	roots     *x509.CertPool // its certificate, if the run made it
	floor     bool
	storeFile string // of the embedded store, if the run made it
	otherURL  string // of a second gateway with the same store; empty: there is none

	// load measures by itself, in place of posters; nil for what is posted to.
	load func(ctx context.Context, load ingestLoad, say progress) (sample, error)

	note    string                // what a reader of the figures should know; may be empty
	stop    func()                // ends it, if the run started it
	explain func(err error) error // adds to err why the server died, if it did

	// kill ends the server at once, and revive starts it again at the same
	// address; nil if the run did not start it.
	kill   func()
	revive func(ctx context.Context) error
}

// open makes the target ready for one measurement.
func (t *target) open(ctx context.Context, o *options) (*server, error) {
	if t.spawn != "" {
		s, err := spawners[t.spawn](ctx, o)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", t.spawn, err)
		}
		s.floor = t.floor()
		return s, nil
	}
	if err := t.procs.check(); err != nil {
		return nil, err
	}
	return &server{
		url: t.url, procs: t.procs, stop: func() {},
		explain: func(err error) error { return err },
	}, nil
}

// parseTarget reads name=URL[,pid=N]….
func parseTarget(s string, schemes []string) (*target, error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return nil, fmt.Errorf("--target %q: expected name=URL or name=URL,pid=N", s)
	}
	t := &target{name: name}
	// A comma is legal in a URL, so only ",pid=" ends it.
	rawURL, pids, _ := strings.Cut(rest, ",pid=")
	if err := checkURL(rawURL, schemes); err != nil {
		return nil, fmt.Errorf("--target %s: %w", name, err)
	}
	t.url = rawURL
	if pids == "" {
		return t, nil
	}
	for p := range strings.SplitSeq(pids, ",pid=") {
		pid, err := strconv.Atoi(p)
		if err != nil || pid < 1 {
			return nil, fmt.Errorf("--target %s: pid %q: expected the number of a process", name, p)
		}
		t.procs = append(t.procs, pid)
	}
	return t, nil
}

// checkURL reports what is wrong with a server's address.
func checkURL(rawURL string, schemes []string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return fmt.Errorf("URL %q: %w", rawURL, err)
	}
	switch {
	case !slices.Contains(schemes, u.Scheme):
		return fmt.Errorf("URL %q: scheme %q, expected one of %s", rawURL, u.Scheme, strings.Join(schemes, ", "))
	case u.Scheme == "unix" && u.Path == "":
		return fmt.Errorf("URL %q: expected unix:///path/of/the/socket", rawURL)
	case u.Scheme != "unix" && u.Host == "":
		return fmt.Errorf("URL %q: it names no host", rawURL)
	case (u.Scheme == "rs" || u.Scheme == "rss") && u.Port() == "":
		return fmt.Errorf("URL %q: a RawSocket address needs a port", rawURL)
	}
	return nil
}

// collect returns the targets that the flags name, in the order --target, --url,
// --spawn, with names that are all different.
func (o *options) collect(schemes, spawnable []string) ([]*target, error) {
	var all []*target
	for _, s := range o.targetFlags {
		t, err := parseTarget(s, schemes)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	if len(o.pids) > len(o.urls) {
		return nil, fmt.Errorf("--pid is given %d times and --url %d times; each --pid belongs to the --url at the same place", len(o.pids), len(o.urls))
	}
	for i, u := range o.urls {
		if err := checkURL(u, schemes); err != nil {
			return nil, fmt.Errorf("--url: %w", err)
		}
		t := &target{name: u, url: u}
		if i < len(o.pids) {
			if o.pids[i] < 1 {
				return nil, fmt.Errorf("--pid %d: expected the number of a process", o.pids[i])
			}
			t.procs = process{o.pids[i]}
		}
		all = append(all, t)
	}
	for _, s := range o.spawns {
		if !slices.Contains(spawnable, s) {
			return nil, fmt.Errorf("--spawn %q: expected one of %s", s, strings.Join(spawnable, ", "))
		}
		all = append(all, &target{name: s, spawn: s})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing to measure: give --target, --url or --spawn (%s)", strings.Join(spawnable, ", "))
	}
	seen := make(map[string]int)
	for _, t := range all {
		seen[t.name]++
		if n := seen[t.name]; n > 1 {
			t.name = fmt.Sprintf("%s#%d", t.name, n)
		}
	}
	for _, t := range all {
		if err := t.procs.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return all, nil
}
