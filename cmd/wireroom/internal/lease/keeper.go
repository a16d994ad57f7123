package lease

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Holder knows which gateway has which task: a store that they share.
type Holder interface {
	// Hold gives this gateway each of the tasks that no other one has which is
	// there, and reports of each whether this gateway has it. What it has nobody
	// else gets for the time sure, from before the call on.
	Hold(ctx context.Context, tasks []string) (mine []bool, sure time.Duration, err error)

	// LetGo gives tasks back.
	LetGo(ctx context.Context, tasks ...string) error
}

// askEvery is how often the holder is asked, besides when something has happened.
const askEvery = time.Second

// A Keeper keeps the tasks of a gateway.
type Keeper struct {
	// Fixed at construction; leases before Run.
	holder Holder // nil: there are no other gateways
	log    *slog.Logger
	leases []*Lease
	wake   chan struct{} // of capacity 1: the holder is to be asked; never closed

	asking sync.Mutex // held while the holder is asked, or is given something back
}

// New returns a keeper without tasks. Without a holder this is the only gateway.
func New(holder Holder, log *slog.Logger) *Keeper {
	return &Keeper{holder: holder, log: log, wake: make(chan struct{}, 1)}
}

// Alone reports whether there can be no other gateways.
func (k *Keeper) Alone() bool { return k.holder == nil }

// Add adds a task, which is told from others by its text. A strict one ends when it
// is not known any more that this gateway has it; a loose one when it is known that
// another one has it.
func (k *Keeper) Add(task string, strict bool) *Lease {
	l := &Lease{keeper: k, task: task, strict: strict && k.holder != nil, came: make(chan struct{}, 1)}
	if k.holder == nil {
		l.tenure = newTenure(l, time.Time{})
		return l
	}
	k.leases = append(k.leases, l)
	return l
}

// Look has the holder asked at once, as a gateway may be gone. It does not wait.
func (k *Keeper) Look() { rouse(k.wake) }

// Run asks the holder again and again, until ctx is done. Then strict tenures end
// when their time is over.
func (k *Keeper) Run(ctx context.Context) {
	if len(k.leases) == 0 {
		return
	}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for failed := false; ctx.Err() == nil; {
		err := k.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failed {
			k.log.Warn("it is not known which gateway does what; what only one may do ends here within seconds if that lasts", "err", err)
		} else if err == nil && failed {
			k.log.Info("it is known again which gateway does what")
		}
		failed = err != nil
		select {
		case <-tick.C:
		case <-k.wake:
		case <-ctx.Done():
		}
	}
}

// ask asks the holder once, and tells all leases.
func (k *Keeper) ask(ctx context.Context) error {
	k.asking.Lock()
	defer k.asking.Unlock()
	var asked []*Lease
	var tasks []string
	for _, l := range k.leases {
		if l.wanted() {
			asked, tasks = append(asked, l), append(tasks, l.task)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	begun := time.Now()
	mine, sure, err := k.holder.Hold(ctx, tasks)
	if err != nil {
		return err
	}
	for i, l := range asked {
		l.told(mine[i], begun.Add(sure))
	}
	return nil
}

// rouse leaves a sign in c, unless there is one.
func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
