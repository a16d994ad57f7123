package auth

import (
	"container/heap"
	"sync"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// Terms are what the right of a session to go on hangs on: a client token or a
// JWT, until when that is good, and whose it is. They are not changed.
type Terms struct {
	client  string   // "" of a JWT
	token   [32]byte // by which the store knows the client token; zero of a JWT
	user    string
	realm   wamp.URI  // in which the session is
	expires time.Time // zero: never
	known   time.Time // when the credential was looked at
}

// Expires returns when the session ends, unless it is renewed; zero if that is
// never.
func (t *Terms) Expires() time.Time { return t.expires }

// A Holder is what a lease is of: a session.
type Holder interface {
	// End ends it, and tells it why. It does not wait.
	End(why *wamp.Error)
}

// A Lease is the right of a session to go on, from joining to leaving.
type Lease struct {
	holder Holder // fixed at construction

	// Guarded by leases.mu.
	terms      *Terms
	at         time.Time // when it is to be looked at
	place      int       // in the heap; -1: not there
	over       bool      // released, or its holder was told to end
	next, prev *Lease    // of the same client
}

// leases are the leases of a gateway: by when they end, in one heap for all,
// and by client. Sessions that hang on nothing have none.
type leases struct {
	wake chan struct{} // has a value when the first deadline changed; never closed

	mu      sync.Mutex // guards the following
	all     int
	ends    deadlines
	clients map[string]*Lease
	graves  graves
	doubted time.Time // what was looked up before is to be looked up again
}

func (ls *leases) init() {
	ls.wake = make(chan struct{}, 1)
	ls.clients = make(map[string]*Lease)
	ls.graves.init()
}

// begin gives the holder a lease, unless the token was revoked since it was
// looked up.
func (ls *leases) begin(h Holder, t *Terms, now time.Time) (*Lease, error) {
	l := &Lease{holder: h, place: -1}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if err := ls.graves.check(t, now); err != nil {
		return nil, err
	}
	ls.all++
	ls.assignLocked(l, t, now)
	return l, nil
}

// assignLocked gives a lease its terms.
func (ls *leases) assignLocked(l *Lease, t *Terms, now time.Time) {
	l.terms = t
	at := t.expires
	if t.client != "" {
		first := ls.clients[t.client]
		l.next = first
		if first != nil {
			first.prev = l
		}
		ls.clients[t.client] = l
		if !t.known.After(ls.doubted) {
			at = now
		}
	}
	ls.armLocked(l, at)
}

// release ends the lease. Only the first call does something.
func (ls *leases) release(l *Lease) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.releaseLocked(l)
}

func (ls *leases) releaseLocked(l *Lease) {
	if l.over {
		return
	}
	l.over = true
	ls.all--
	ls.withdrawLocked(l)
}

// withdrawLocked takes a lease out of everything that finds it by its terms.
func (ls *leases) withdrawLocked(l *Lease) {
	ls.armLocked(l, time.Time{})
	if l.terms.client == "" {
		return
	}
	switch {
	case l.prev != nil:
		l.prev.next = l.next
	case l.next != nil:
		ls.clients[l.terms.client] = l.next
	default:
		delete(ls.clients, l.terms.client)
	}
	if l.next != nil {
		l.next.prev = l.prev
	}
	l.next, l.prev = nil, nil
}

// renew gives a lease other terms, unless it is over or they were revoked.
func (ls *leases) renew(l *Lease, t *Terms, now time.Time) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.over {
		return revoked(textRevoked)
	}
	if err := ls.graves.check(t, now); err != nil {
		return err
	}
	ls.withdrawLocked(l)
	ls.assignLocked(l, t, now)
	return nil
}

// prolong moves the end of all leases of the token on.
func (ls *leases) prolong(client string, token [32]byte, end time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := ls.clients[client]; l != nil; l = l.next {
		if l.terms.token == token && l.terms.expires.Before(end) {
			t := *l.terms
			early := l.place >= 0 && l.at.Before(t.expires) // as it is in doubt, which a renewal may be older than
			t.expires = end
			l.terms = &t
			if !early {
				ls.armLocked(l, end)
			}
		}
	}
}

// revoke ends the leases that a revocation of a client names, and returns
// their holders, who are to be told. It lets nobody in with what was looked up
// before now.
func (ls *leases) revoke(r Revocation, now time.Time) (holders []Holder) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.graves.add(graveOf(r), now)
	for l := ls.clients[r.Client]; l != nil; {
		next := l.next
		if r.Token == ([32]byte{}) || r.Token == l.terms.token {
			holders = append(holders, l.holder)
			ls.releaseLocked(l)
		}
		l = next
	}
	return holders
}

func (ls *leases) termsOf(l *Lease) *Terms {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return l.terms
}

// sessions returns how many leases a client has.
func (ls *leases) sessions(client string) (n int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := ls.clients[client]; l != nil; l = l.next {
		n++
	}
	return n
}

func (ls *leases) count() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.all
}

// armLocked has the lease looked at at the time; zero: never.
func (ls *leases) armLocked(l *Lease, at time.Time) {
	l.at = at
	switch in := l.place >= 0; {
	case at.IsZero() && in:
		heap.Remove(&ls.ends, l.place)
	case at.IsZero():
	case in:
		heap.Fix(&ls.ends, l.place)
	default:
		heap.Push(&ls.ends, l)
	}
	if l.place == 0 {
		select {
		case ls.wake <- struct{}{}:
		default:
		}
	}
}

// due takes up to most leases out of the heap that are to be looked at, and
// returns when the next one is; ok is false if there is none.
func (ls *leases) due(now time.Time, most int) (list []*Lease, next time.Time, ok bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for len(ls.ends) > 0 && len(list) < most && !ls.ends[0].at.After(now) {
		l := ls.ends[0]
		ls.armLocked(l, time.Time{})
		list = append(list, l)
	}
	if len(ls.ends) == 0 {
		return list, next, false
	}
	return list, ls.ends[0].at, true
}

// deadlines is a heap of leases by when they are to be looked at.
type deadlines []*Lease

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push implements [heap.Interface].
func (d *deadlines) Push(x any) {
	l := x.(*Lease)
	l.place = len(*d)
	*d = append(*d, l)
}

// Pop implements [heap.Interface].
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	l := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	l.place = -1
	return l
}
