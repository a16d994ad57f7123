package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// An Attach is what a session asks of a persistent subscription.
type Attach struct {
	Name string // unique among the owner's; at most [MaxPersistentName] bytes

	Class, Channel, Where string // as in [Persistent]
	Explicit              bool
	AnyAck                bool // Explicit is for one that is new; one that there is has its own

	// For is how long it outlives the last session that has it, at least
	// [MinPersistentFor]; 0: as long as the class allows, which is the most.
	For time.Duration

	// Start says where the position of a subscription that is new is, which is
	// where the session's replay begins; without Since it is now. With one that
	// there is, the replay begins with its position, or with Start if that is
	// before: nothing that nobody has acknowledged is passed over.
	Start Start
	Since bool

	// Again asks for one that there is: none is made.
	Again bool

	// Of is what of the class the session gets.
	Of Selection
}

// Bounds on [Persistent.For].
const (
	MinPersistentFor = time.Minute
	MaxPersistentFor = 10 * 365 * 24 * time.Hour
)

// An OtherClassError says that an owner's subscription of that name is for
// something else.
type OtherClassError struct{ Name, Topic string }

// Error names the subscription.
func (e *OtherClassError) Error() string {
	return fmt.Sprintf("the persistent subscription %s is for %s; remove it first, or take another name", quote(e.Name), e.Topic)
}

// An OtherAckError says that an owner's subscription of that name is acknowledged
// in the other way.
type OtherAckError struct {
	Name     string
	Explicit bool // how it is acknowledged
}

// Error names the subscription.
func (e *OtherAckError) Error() string {
	how := "by itself"
	if e.Explicit {
		how = "by the client"
	}
	return fmt.Sprintf("the persistent subscription %s is acknowledged %s; remove it first, or take another name", quote(e.Name), how)
}

// Attach makes the persistent subscription, if the owner has none of that name
// and a.Again does not rule that out, and gives it to the session. What the
// session is sent first is a replay that begins with [Held.Start]. The session
// must not have it already ([Holder.Held]).
//
// The error is an [*UnknownClassError], [ErrNotRetained] or [ErrNotPersistable]
// for the class, [ErrNotPersistent] with a.Again, an [*OptionError] about For, an
// [*OtherClassError], an [*OtherAckError], [ErrTooManyPersistent], [ErrClosed],
// the store's, or the context's.
func (h *Holder) Attach(ctx context.Context, a Attach) (*Held, error) {
	k := h.keeper
	life, err := k.lifeOf(&a)
	if err != nil {
		return nil, err
	}
	key := keptKey{h.owner, a.Name}
	giveBack, err := k.take(ctx, key)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	p, fresh, err := k.define(ctx, key, &a, life)
	if err != nil {
		return nil, err
	}
	d := &Held{holder: h, def: *p, explicit: p.Explicit, fresh: fresh, start: a.Start}
	if !fresh || !a.Since {
		if d.start, err = k.goOn(ctx, p, &a); err != nil {
			return nil, err
		}
	}
	d.start.whole = true
	return d, k.attach(d)
}

// goOn returns where the replay of a session begins that attaches a subscription
// that there is: the position, or what is asked for if that is before.
func (k *Keeper) goOn(ctx context.Context, p *Persistent, a *Attach) (Start, error) {
	start, at := SincePosition(p.Position.Epoch, p.Position.Offset), p.Position
	if !a.Since {
		return start, nil
	}
	asked, err := k.hub.place(ctx, a)
	if err != nil {
		return Start{}, err
	}
	if at.Epoch != asked.Epoch {
		at = k.hub.carry(a.Class, asked.Epoch, progress{Position: at}).Position
	}
	if asked.Offset < at.Offset {
		return a.Start, nil
	}
	return start, nil
}

// Fresh reports whether there was no such subscription before.
func (d *Held) Fresh() bool { return d.fresh }

// Abandon is Detach for a session that was not told that it has the
// subscription: if it was made for the session, and no other has had it since, it
// is removed. Otherwise it stays, as with an error.
func (d *Held) Abandon(ctx context.Context) error {
	d.Detach()
	if !d.fresh {
		return nil
	}
	k, key := d.holder.keeper, d.kept.key
	giveBack, err := k.take(ctx, key)
	if err != nil {
		return err
	}
	defer giveBack()
	k.mu.Lock()
	mine := k.kept[key] == d.kept && !d.kept.shared // and so nobody has it now
	k.mu.Unlock()
	if !mine {
		return nil
	}
	return k.remove(ctx, key)
}

// Gone reports whether the subscription was removed since the session attached
// it, here or at another gateway, for which it asks the store. The session goes on
// getting events then, which belong to no position. The error is the store's, or
// the context's.
func (d *Held) Gone(ctx context.Context) (bool, error) {
	k, s := d.holder.keeper, d.kept
	s.mu.Lock()
	removed := s.removed
	s.mu.Unlock()
	if removed {
		return true, nil
	}
	_, err := k.find(ctx, s.key)
	if !errors.Is(err, ErrNotPersistent) {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgetLocked(s)
	return true, nil
}

// lifeOf returns how long the subscription outlives its sessions.
func (k *Keeper) lifeOf(a *Attach) (time.Duration, error) {
	m := k.hub.state.Load().members[a.Class]
	switch {
	case m == nil:
		return 0, &UnknownClassError{Class: a.Class}
	case m.log == nil:
		return 0, fmt.Errorf("%w: %s", ErrNotRetained, a.Class)
	}
	most := m.class.Persistent()
	switch {
	case most == 0:
		return 0, fmt.Errorf("%w: %s", ErrNotPersistable, a.Class)
	case a.For == 0:
		return most, nil
	case a.For < MinPersistentFor || a.For > most:
		return 0, &OptionError{OptionExpires, fmt.Sprintf("a time from %v to %v, which is the most for the class %s", MinPersistentFor, most, a.Class), a.For.String()}
	}
	return a.For, nil
}

// define finds the subscription, or makes it, and has it as it is asked for.
func (k *Keeper) define(ctx context.Context, key keptKey, a *Attach, life time.Duration) (p *Persistent, fresh bool, err error) {
	now := time.Now()
	p, err = k.find(ctx, key)
	switch {
	case errors.Is(err, ErrNotPersistent) && !a.Again:
		fresh = true
		p = &Persistent{Owner: key.owner, Name: key.name, Class: a.Class, Channel: a.Channel, Explicit: a.Explicit, Created: milli(now)}
		if p.Position, err = k.hub.place(ctx, a); err != nil {
			return nil, false, err
		}
	case err != nil:
		return nil, false, err
	case p.Class != a.Class || p.Channel != a.Channel:
		return nil, false, &OtherClassError{Name: p.Name, Topic: topicOf(p)}
	case !a.AnyAck && p.Explicit != a.Explicit:
		return nil, false, &OtherAckError{Name: p.Name, Explicit: p.Explicit}
	case p.Where == a.Where && p.For == life:
		return p, false, nil // its expiry is written when it is attached
	}
	p.Where, p.For = a.Where, life
	p.Seen, p.Expires = milli(now), milli(now.Add(life))
	if err := k.store.PutPersistent(ctx, p, k.cfg.Most); err != nil {
		return nil, false, err
	}
	return p, fresh, nil
}

// milli returns a time as stores keep it.
func milli(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// topicOf returns the topic of a subscription.
func topicOf(p *Persistent) string {
	if p.Channel == "" {
		return p.Class
	}
	return p.Class + "." + p.Channel
}

// Topic returns the topic of the class, or of its channel.
func (p *Persistent) Topic() string { return topicOf(p) }

// place returns the position of a subscription that begins as it is asked for.
func (h *Hub) place(ctx context.Context, a *Attach) (Position, error) {
	m := h.state.Load().members[a.Class]
	if m == nil || m.log == nil { // the classes changed a moment ago
		return Position{}, &UnknownClassError{Class: a.Class}
	}
	epoch, routed := m.log.position()
	if !a.Since {
		return Position{epoch, routed}, nil
	}
	sieve, err := newSieve(m.class, a.Of)
	if err != nil {
		return Position{}, err
	}
	if mark := a.Start.mark; a.Start.kind != startOffset && mark.Epoch == epoch {
		routed = mark.Offset // or the position would be past what the replay begins with
	}
	r := &replay{hub: h, member: m, sieve: sieve, to: nobody{}, seeking: true, epoch: epoch, through: routed}
	if err := r.begin(ctx, a.Start); err != nil {
		return Position{}, err
	}
	return Position{r.epoch, r.after}, nil
}

// A nobody is a subscriber to nothing.
type nobody struct{}

func (nobody) Recover(Recovery)                   {}
func (nobody) Send(context.Context, *Event) error { return nil }
func (nobody) Live()                              {}

// attach enters a subscription that a session has got.
func (k *Keeper) attach(d *Held) error {
	h, p := d.holder, &d.def
	key := keptKey{p.Owner, p.Name}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	s := k.kept[key]
	if s != nil && d.fresh { // what is left of one that has expired, or that another gateway has removed
		k.forgetLocked(s)
		s = nil
	}
	if s == nil {
		s = &kept{key: key, class: p.Class, was: p.Position.Epoch, at: progress{p.Position, slices.Clone(p.Acked)}, expires: p.Expires, wrote: time.Now()}
		k.kept[key] = s
	} else {
		s.shared = true
		if s.attached == 0 {
			k.loose--
		}
	}
	s.attached++
	s.mu.Lock()
	s.life, s.where = p.For, p.Where
	if s.expires.Before(time.Now().Add(p.For - p.For/8)) {
		k.noteLocked(s)
	}
	s.mu.Unlock()
	d.kept = s
	h.mu.Lock()
	h.held[p.Name] = d
	h.mu.Unlock()
	k.holders[h] = struct{}{}
	return nil
}
