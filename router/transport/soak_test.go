package transport_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/transport"
	"github.com/wireroom/wireroom/router/wamp"
)

const (
	soakRealm      = "realm1"
	soakMaxMessage = 128 << 10

	soakWorkers   = 40 // clients that come and go
	soakResidents = 6  // clients that stay

	helloTimeout   = 3 * time.Second
	writeTimeout   = 2 * time.Second
	goodbyeTimeout = time.Second
	pingInterval   = 500 * time.Millisecond
	pingTimeout    = 3 * time.Second
)

// TestSoak has clients over real sockets join, subscribe by all policies,
// publish to audiences of all kinds, register, call and cancel, read slowly,
// stall, break the protocol, vanish and come back, all at random, while the
// program itself publishes by every policy for slow consumers. It checks that
//
//   - a subscription gets the events of each publisher in order, none twice,
//     none that is for others, and none before SUBSCRIBED or after
//     UNSUBSCRIBED;
//   - none is missing but what _missed says, exactly, or of a session that
//     was ended for it and counted;
//   - every call is answered exactly once, after its progressive results in
//     order; invocations come in order, for registrations that the callee has;
//   - every request is answered exactly once, or the session has ended;
//   - all that holds for sessions whose connections break at any byte, and
//     that are resumed on others, of another kind; whoever can't have a session
//     back is told so, for a reason that is counted, and old connections are
//     closed;
//   - whoever breaks the protocol is told, whoever vanishes is ended, and
//     nobody else is without a reason that is counted;
//   - at checkpoints and at the end nothing is left of those that went: no
//     session, goroutine, descriptor, subscription, registration, memory.
//
// It runs for two seconds, or SOAK (a duration, such as 20m), from a printed
// seed that SOAK_SEED sets. What happens when is up to the scheduler all the
// same.
func TestSoak(t *testing.T) {
	length, seed := 2*time.Second, uint64(time.Now().UnixNano())
	if s := os.Getenv("SOAK"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
	}
	if s := os.Getenv("SOAK_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatalf("SOAK_SEED: %v", err)
		}
	}
	t.Logf("SOAK=%v SOAK_SEED=%d", length, seed)
	sk := openSoak(t, length, seed)
	defer sk.close()
	sk.run()
}

// A soak is what all of the test shares.
type soak struct {
	t      *testing.T
	length time.Duration
	seed   uint64
	log    *slog.Logger

	rt     *router.Router
	realm  *router.Realm
	srv    *transport.Server
	places []*place
	groups []*group
	ledger *ledger
	trails trails
	tally  tally
	began  time.Time
	quiet  resources // before the first client

	workers   int // goroutines that stay
	residents [soakResidents]atomic.Pointer[soaker]

	numbers  atomic.Int64 // of clients
	failures atomic.Int64
	over     chan struct{}  // closed when lives are to begin no more
	wg       sync.WaitGroup // lives and what belongs to them

	gate  sync.RWMutex                  // held for reading by who does something
	hurry atomic.Pointer[chan struct{}] // closed when a checkpoint is due

	mu   sync.Mutex // guards the following, closing over, and changing hurry
	seen map[pattern]wamp.ID
}

// A tally counts what happened.
type tally struct {
	lives, events, calls, missed, garbage, told, halfOpen atomic.Int64
	broken, resumed                                       atomic.Int64 // connections of sessions that may be resumed; times that one was
	early, expired, outdated                              atomic.Int64 // sessions that could not be: in the window; after it; for what is kept no more
	slow, silent, abrupt, late                            atomic.Int64 // sessions that the router ended, by what the client was told
	slowly                                                atomic.Int64 // clients that waited for answers longer than patiently
	longest                                               atomic.Int64 // that a call took, in nanoseconds
}

// A profile is what kind of client somebody is: its role, and the limits of
// that.
type profile struct {
	role   string
	limits router.Limits
	lossy  bool // its queue drops events
	marked bool // of markedRoles
	tight  bool // the system's buffers are small
}

var markedRoles = []string{"dropper", "small"}

var profiles = []*profile{
	{role: "steady", limits: soakLimits(1<<20, router.Inherit)},
	{role: "small", limits: soakLimits(48<<10, router.Disconnect), marked: true, tight: true},
	{role: "dropper", limits: soakLimits(24<<10, router.DropOldest), lossy: true, marked: true, tight: true},
	{role: "keeper", limits: soakLimits(24<<10, router.KeepLatest), lossy: true, tight: true},
	{role: "linger", limits: func() router.Limits {
		l := soakLimits(256<<10, router.Disconnect)
		l.Linger = 5 * time.Millisecond
		return l
	}()},
	{role: "paced", limits: func() router.Limits {
		l := soakLimits(256<<10, router.Disconnect)
		l.MessageRate, l.ByteRate = 30, 60_000
		return l
	}()},
}

func soakLimits(queue int, policy router.WhenFull) router.Limits {
	l := router.DefaultLimits()
	l.QueueBytes, l.WhenFull = queue, policy
	return l
}

// soakRules lets everybody in, as the role that the authid names.
type soakRules struct{ everyone }

func (soakRules) Authenticate(_ context.Context, j router.Joining) (*router.Grant, *router.Challenge, error) {
	role, parity, _ := strings.Cut(j.Hello.AuthID, "/")
	grant := &router.Grant{AuthID: parity, AuthRole: role, AuthMethod: "anonymous"}
	for _, prof := range profiles {
		if prof.role == role {
			grant.Limits = &prof.limits
		}
	}
	return grant, nil, nil
}

func openSoak(t *testing.T, length time.Duration, seed uint64) *soak {
	sk := &soak{
		t: t, length: length, seed: seed,
		groups: newGroups(), ledger: newLedger(soakWorkers + soakResidents),
		trails: trails{calls: map[callKey][]trailStep{}},
		over:   make(chan struct{}), seen: map[pattern]wamp.ID{},
	}
	hurry := make(chan struct{})
	sk.hurry.Store(&hurry)

	sk.log = slog.New(soakLog{sk})

	cfg := router.DefaultConfig()
	cfg.HelloTimeout, cfg.WriteTimeout, cfg.GoodbyeTimeout = helloTimeout, writeTimeout, goodbyeTimeout
	cfg.Flushers = 4
	cfg.Resume.For, cfg.Resume.Bytes = resumeWindow, resumeBytes
	sk.rt = router.New(cfg, soakRules{}, sk.log)
	sk.realm = sk.rt.AddRealm(soakRealm, soakRules{}, nil)
	sk.realm.Provide(soakEcho, func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		args, err := r.Payload.DecodeArgs()
		return append(args, 1), nil, err
	})

	tc := transport.DefaultConfig()
	tc.MaxMessage, tc.PingInterval, tc.PingTimeout, tc.CloseTimeout = soakMaxMessage, pingInterval, pingTimeout, goodbyeTimeout
	tc.PingRawSockets = true
	tc.Deflate, tc.DeflateMin = true, 100
	sk.srv = transport.NewServer(sk.rt, tc, sk.log)
	sk.listen()
	return sk
}

// A soakLog fails the soak for what the router takes for an error of its own.
type soakLog struct{ sk *soak }

func (soakLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (l soakLog) Handle(ctx context.Context, r slog.Record) error {
	var b strings.Builder
	err := slog.NewTextHandler(&b, nil).Handle(ctx, r)
	l.sk.failed("the router logs an error: " + b.String())
	return err
}

func (l soakLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l soakLog) WithGroup(string) slog.Handler      { return l }

// run runs the soak.
func (sk *soak) run() {
	sk.began, sk.quiet, sk.workers = time.Now(), measure(), soakWorkers+soakResidents+len(sk.groups)
	for seat := range soakWorkers + soakResidents {
		rnd := rand.New(rand.NewPCG(sk.seed, uint64(seat)))
		sk.wg.Go(func() {
			for sk.enter() {
				if seat < soakResidents {
					sk.reside(rnd, seat)
				} else {
					sk.life(rnd, seat)
				}
				sk.gate.RUnlock()
			}
		})
	}
	for i, g := range sk.groups {
		rnd := rand.New(rand.NewPCG(sk.seed, uint64(1000+i)))
		sk.wg.Go(func() { g.publish(sk, rnd) })
	}
	sk.watch()
	sk.wg.Wait()
	sk.final()
}

// enter waits until something may be done, and reports false when the soak is
// over. Who gets true unlocks gate.
func (sk *soak) enter() bool {
	sk.gate.RLock()
	if sk.isOver() {
		sk.gate.RUnlock()
		return false
	}
	return true
}

func (sk *soak) isOver() bool {
	select {
	case <-sk.over:
		return true
	default:
		return false
	}
}

// hurried is closed when everybody is to come to an end.
func (sk *soak) hurried() <-chan struct{} { return *sk.hurry.Load() }

func (sk *soak) isHurried() bool {
	select {
	case <-sk.hurried():
		return true
	default:
		return false
	}
}

// pause waits up to so many milliseconds, longer on a busy machine, and reports
// whether the soak goes on.
func (sk *soak) pause(rnd *rand.Rand, most int) bool {
	pause := time.Duration(rnd.IntN(most)) * time.Millisecond
	for began, once := time.Now(), true; ; once = false {
		select {
		case <-sk.over:
			return false
		case <-time.After(pause):
			if pause = relief(pause, time.Since(began)); !once || pause == 0 {
				return true
			}
		}
	}
}

// stop has everybody come to an end.
func (sk *soak) stop() {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	if !sk.isOver() {
		close(sk.over)
	}
	sk.hurryLocked()
}

// setHurry has everybody hurry, or not any more unless the soak is over.
func (sk *soak) setHurry(on bool) {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	switch {
	case on:
		sk.hurryLocked()
	case !sk.isOver():
		hurry := make(chan struct{})
		sk.hurry.Store(&hurry)
	}
}

func (sk *soak) hurryLocked() {
	if !sk.isHurried() {
		close(*sk.hurry.Load())
	}
}

// failed reports something wrong, and ends the soak. What goes wrong after
// that is not told: it may well follow from it.
func (sk *soak) failed(what string) {
	if sk.failures.Add(1) > 1 {
		return
	}
	sk.t.Errorf("%s\nagain: SOAK=%v SOAK_SEED=%d go test -race -timeout 0 -run '^TestSoak$' ./router/transport", what, sk.length, sk.seed)
	go sk.stop()
}

// somebody returns a session that is there, or was a moment ago.
func (sk *soak) somebody(rnd *rand.Rand) wamp.ID {
	for range 4 {
		if id := sk.ledger.present[rnd.IntN(len(sk.ledger.present))].Load(); id != 0 {
			return wamp.ID(id)
		}
	}
	return 0
}

// sawSubscription notes the ID of a subscription.
func (sk *soak) sawSubscription(p pattern, id wamp.ID) {
	sk.mu.Lock()
	defer sk.mu.Unlock()
	if strings.Contains(p.uri, "churn") {
		return // there are too many
	}
	sk.seen[p] = id
}
