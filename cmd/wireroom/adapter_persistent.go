package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Options of a subscription that make it a persistent one.
const (
	optionPersistent = "_persistent"
	optionAck        = "_ack"
	optionName       = "_name"
)

// maxName is how many characters a client may give a persistent subscription as
// its name.
const maxName = 128

// A wish is what a client asks of a persistent subscription.
type wish struct {
	name     string // empty: made of the topic and the query
	where    string
	explicit bool
	anyAck   bool          // the client has not said whether explicit
	expires  time.Duration // 0: as the class allows
	again    bool          // it must be there already
}

// readWish returns what the options of a subscription ask for, or nil if it is
// not to be a persistent one.
func readWish(options map[string]any) (*wish, error) {
	v, ok := options[optionPersistent]
	persistent, isBool := v.(bool)
	if ok && !isBool {
		return nil, wampError(&events.OptionError{Option: optionPersistent, Expected: "true or false", Found: fmt.Sprintf("%v", v)})
	}
	if !persistent {
		for _, name := range [...]string{optionAck, optionName, events.OptionExpires} {
			if _, has := options[name]; has {
				return nil, wamp.Errorf(wamp.URIOptionNotAllowed, "option %s: expected beside %s: true only", name, optionPersistent)
			}
		}
		return nil, nil
	}
	w := new(wish)
	v, ok = options[optionAck]
	if w.anyAck = !ok; ok {
		if w.explicit = v == "explicit"; !w.explicit && v != "auto" {
			return nil, wampError(&events.OptionError{Option: optionAck, Expected: `"auto" or "explicit"`, Found: fmt.Sprintf("%v", v)})
		}
	}
	if v, ok := options[optionName]; ok {
		if w.name, ok = v.(string); !ok || !nameable(w.name) {
			return nil, wampError(&events.OptionError{
				Option: optionName, Expected: fmt.Sprintf("a text of 1 to %d characters that can be printed", maxName), Found: fmt.Sprintf("%.200q", fmt.Sprint(v)),
			})
		}
	}
	if back, ok := options[optionAgain].(comingBack); ok {
		w.name, w.again = string(back), true
	}
	if v, ok := options[events.OptionExpires]; ok {
		if w.expires, ok = lasting(v); !ok {
			return nil, wampError(&events.OptionError{
				Option: events.OptionExpires, Expected: `a number of seconds, or a duration such as "72h"`, Found: fmt.Sprintf("%.200q", fmt.Sprint(v)),
			})
		}
	}
	return w, nil
}

// nameable reports whether a client may call a subscription so.
func nameable(name string) bool {
	n := utf8.RuneCountInString(name)
	return n >= 1 && n <= maxName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// lasting returns the time that an option names, which is not 0.
func lasting(v any) (d time.Duration, ok bool) {
	const most = float64(events.MaxPersistentFor / time.Second)
	switch v := v.(type) {
	case int64:
		if v >= 1 && float64(v) <= most {
			return time.Duration(v) * time.Second, true
		}
	case uint64:
		if v >= 1 && float64(v) <= most {
			return time.Duration(v) * time.Second, true
		}
	case float64:
		if v > 0 && v <= most && !math.IsNaN(v) {
			return time.Duration(v * float64(time.Second)), true
		}
	case string:
		d, err := time.ParseDuration(v)
		return d, err == nil && d > 0
	}
	return 0, false
}

// nameOf returns the name of a subscription that the client gave none.
func nameOf(topic, where string) string {
	name := topic
	if where != "" {
		name += " where " + where
	}
	if len(name) <= events.MaxPersistentName {
		return name
	}
	sum := sha256.Sum256([]byte(where))
	if short := topic + " where #" + hex.EncodeToString(sum[:16]); where != "" && len(short) <= events.MaxPersistentName {
		return short
	}
	sum = sha256.Sum256([]byte(name))
	return "#" + hex.EncodeToString(sum[:])
}

// ownerOf returns who owns the persistent subscriptions of the session: the
// client whose token it has, or else the user. The parts of the text are told
// apart by spaces, which a realm does not have.
func ownerOf(s *router.Session) (string, error) {
	if s.Trusted() {
		return "", wamp.Errorf(wamp.URIOptionNotAllowed, "option %s: expected a client, found a part of the gateway itself", optionPersistent)
	}
	return ownerAs(s.Realm(), s.Client(), s.AuthMethod(), s.AuthID())
}

// ownerAs is ownerOf for a session that is not there yet.
func ownerAs(realm *router.Realm, client, method, authid string) (string, error) {
	var owner string
	switch {
	case client != "":
		owner = string(realm.Name()) + " client " + client
	case method == auth.MethodAnonymous:
		return "", &wamp.Error{
			URI: wamp.URINoClient,
			Text: "nobody knows who this session belongs to, so nothing can be kept for it: " +
				"POST to /session for a token, as a cookie, connect again and join with it, or log in",
		}
	default:
		owner = string(realm.Name()) + " user " + authid
	}
	return shortOwner(owner), nil
}

// shortOwner returns a text that stands for an owner and is not too long for a store.
func shortOwner(owner string) string {
	if len(owner) <= events.MaxOwnerLen {
		return owner
	}
	sum := sha256.Sum256([]byte(owner))
	return "sha256 " + hex.EncodeToString(sum[:])
}

// Holdings are the sessions of a realm that have persistent subscriptions
// attached.
type holdings struct {
	keeper *events.Keeper

	mu  sync.Mutex // guards the following; taken last but for those of the keeper
	all map[*router.Session]*holding
}

// A holding is one such session.
type holding struct {
	*events.Holder
	held map[wamp.ID]*events.Held // by subscription; guarded by holdings.mu
}

// of returns the holding of a session, or nil.
func (a *holdings) of(s *router.Session) *holding {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[s]
}

// with returns the holding of a session, which it makes if there is none. The
// session's reader calls it.
func (a *holdings) with(s *router.Session, owner string) *holding {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.all[s]
	if at == nil {
		at = &holding{Holder: a.keeper.NewHolder(owner, s.Probe), held: make(map[wamp.ID]*events.Held)}
		if a.all == nil {
			a.all = make(map[*router.Session]*holding)
		}
		a.all[s] = at
	}
	return at
}

// tidy forgets a holding of which nothing has begun; what begins later enters it
// again. It looks at nothing that is locked while the hub routes: a session that
// waits for holdings.mu may hold that up.
func (a *holdings) tidy(s *router.Session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.all[s]; at != nil && len(at.held) == 0 {
		delete(a.all, s)
	}
}

// heldAs returns what the session has by the ID of its subscription, or nil.
func (a *holdings) heldAs(s *router.Session, id wamp.ID) *events.Held {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.all[s]; at != nil {
		return at.held[id]
	}
	return nil
}

// ids returns the IDs of the subscriptions that the session has, by their names.
func (a *holdings) ids(s *router.Session) map[string]wamp.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.all[s]
	if at == nil {
		return nil
	}
	ids := make(map[string]wamp.ID, len(at.held))
	for id, held := range at.held {
		ids[held.Name()] = id
	}
	return ids
}

// Probed implements [router.Prober].
func (g *governor) Probed(s *router.Session, number uint64) {
	if at := g.kept.of(s); at != nil {
		at.Answered(number)
	}
}

// Greet implements [router.Greeter]: a client that comes back is told which
// persistent subscriptions it has. If that cannot be found out it is told nothing,
// which is not the same as none.
func (g *governor) Greet(ctx context.Context, realm *router.Realm, grant *router.Grant) map[string]any {
	if grant.Trusted {
		return nil
	}
	owner, err := ownerAs(realm, grant.Client, grant.AuthMethod, grant.AuthID)
	if err != nil {
		return nil // nobody who could have any
	}
	all, err := g.kept.keeper.List(ctx, owner)
	if err != nil {
		g.log.Warn("a client is not told which persistent subscriptions it has", "err", err)
		return nil
	}
	list := make([]any, len(all))
	for i := range all {
		list[i] = persistentDict(&all[i])
	}
	return map[string]any{"_subscriptions": list}
}

// attach makes a persistent subscription of one to the past and present of a
// class.
func (g *governor) attach(s *router.Session, terms router.Terms, p *past, since bool, w *wish) (router.Terms, error) {
	if p.class.Persistent() == 0 {
		return terms, persistentError(events.ErrNotPersistable)
	}
	unasked := cannotAsk(s, w)
	if unasked != nil && !w.anyAck {
		return terms, unasked
	}
	owner, err := ownerOf(s)
	if err != nil {
		return terms, err
	}
	want := events.Attach{
		Name: w.name, Class: p.class.Name(), Channel: p.selection.Channel, Where: w.where, Explicit: w.explicit, AnyAck: w.anyAck,
		For: w.expires, Start: p.start, Since: since, Of: p.selection,
		// One that is acknowledged by hand, and there already, needs nobody asked.
		Again: w.again || unasked != nil,
	}
	if want.Name == "" {
		want.Name = nameOf(topicOf(p.class, want.Channel), w.where)
	}
	at := g.kept.with(s, owner)
	if held := at.Held(want.Name); held != nil {
		return g.again(s, terms, held, &want, p)
	}
	if held := g.heldLike(s, p, w.where); held != nil {
		return terms, wamp.Errorf(wamp.URIOptionNotAllowed,
			"the session has this very subscription as a persistent one already, by the name %q: a subscription has one position", held.Name())
	}
	var held *events.Held
	err = s.Wait(func(ctx context.Context) (err error) {
		held, err = at.Attach(ctx, want)
		return err
	})
	if unasked != nil && (err == nil && !held.Explicit() || errors.Is(err, events.ErrNotPersistent) && !w.again) {
		err = unasked
	}
	if err != nil {
		if held != nil {
			held.Detach()
		}
		g.kept.tidy(s)
		return terms, persistentError(err)
	}
	p.start = held.Start()
	terms.Replay = g.replay(p, held)
	terms.Watch = &watch{govern: g, kept: g.kept, session: s, at: at, held: held, past: p}
	return terms, nil
}

// cannotAsk returns an error if the session wants a subscription whose events are
// acknowledged by what its connection answers, and that answers nothing.
func cannotAsk(s *router.Session, w *wish) error {
	switch {
	case w.explicit:
	case !s.CanProbe(true):
		return wamp.Errorf(wamp.URIOptionNotAllowed,
			`option %s: over this connection the gateway cannot find out what has arrived: expected %s: "explicit", a WebSocket, or HTTP requests to receive that say so (/receive?ack=<number>)`, optionPersistent, optionAck)
	case w.anyAck && !w.again && !s.CanProbe(false):
		return wamp.Errorf(wamp.URIOptionNotAllowed,
			`option %s: not every client of this kind of connection says what has arrived (RawSocket: by answering PINGs; HTTP: by /receive?ack=<number>): expected %s: "auto" from one that does, or "explicit"`, optionPersistent, optionAck)
	}
	return nil
}

// topicOf returns the topic of a class or of its channel.
func topicOf(c *events.Class, channel string) string {
	if channel == "" {
		return c.Name()
	}
	return c.Topic(channel)
}

// again answers a session that subscribes to what it has already: with a replay,
// if it says from where. What somebody has removed meanwhile it has no more as a
// persistent one, and must not think so.
func (g *governor) again(s *router.Session, terms router.Terms, held *events.Held, want *events.Attach, p *past) (router.Terms, error) {
	def := held.Definition()
	switch {
	case def.Class != want.Class || def.Channel != want.Channel || def.Where != want.Where || !want.AnyAck && def.Explicit != want.Explicit:
		return terms, wamp.Errorf(wamp.URIOptionNotAllowed,
			"the session has the persistent subscription %q already, as another one: unsubscribe it first, or take another %s", want.Name, optionName)
	}
	gone := false
	err := s.Wait(func(ctx context.Context) (err error) {
		gone, err = held.Gone(ctx)
		return err
	})
	switch {
	case err != nil:
		return terms, persistentError(err)
	case gone:
		return terms, wamp.Errorf(wamp.URIOptionNotAllowed,
			"the persistent subscription %q was removed, and the session goes on getting its events without a position: unsubscribe it first", want.Name)
	case !want.Since:
		return terms, nil
	}
	start, ok := held.Rewind(p.start)
	if !ok {
		return terms, errReplaying
	}
	p.start = start
	terms.Replay = g.replay(p, held)
	return terms, nil
}

// errReplaying refuses another replay of what a session has as a persistent
// subscription.
var errReplaying = wamp.Errorf(wamp.URIOptionNotAllowed, "a replay of the subscription is under way: wait for its end, or unsubscribe")

// heldLike returns the persistent subscription that the session has to this
// past, whatever its name, or nil.
func (g *governor) heldLike(s *router.Session, p *past, where string) *events.Held {
	at := g.kept.of(s)
	if at == nil {
		return nil
	}
	return at.Find(func(d *events.Held) bool {
		def := d.Definition()
		return def.Class == p.class.Name() && def.Channel == p.selection.Channel && def.Where == where
	})
}

// persistentError tells a client why it does not get a persistent subscription.
func persistentError(err error) error {
	switch {
	case errors.Is(err, events.ErrNotPersistable):
		return wamp.Errorf(wamp.URIOptionNotAllowed, "option %s: the class has no persistent subscriptions: expected persistent: true in the configuration of the class", optionPersistent)
	case errors.Is(err, events.ErrTooManyPersistent):
		return wamp.Errorf(wamp.URILimit, "option %s: there are as many persistent subscriptions as a client may have: remove one first", optionPersistent)
	case errors.Is(err, events.ErrNotRetained):
		return wamp.Errorf(wamp.URINoSuchSubscription, "the class has no log any more, so there is nothing to be acknowledged or kept")
	case errors.Is(err, events.ErrNotPersistent):
		return wamp.Errorf(wamp.URINoSuchSubscription, "there is no such persistent subscription")
	}
	if e, ok := errors.AsType[*events.OtherClassError](err); ok {
		return &wamp.Error{URI: wamp.URIOptionNotAllowed, Text: e.Error()}
	}
	if e, ok := errors.AsType[*events.OtherAckError](err); ok {
		was := "auto"
		if e.Explicit {
			was = "explicit"
		}
		return wamp.Errorf(wamp.URIOptionNotAllowed,
			"option %s: the persistent subscription %q was made with %q: expected that, or no %s; remove it first, or take another %s", optionAck, e.Name, was, optionAck, optionName)
	}
	if e, ok := errors.AsType[*events.AckError](err); ok {
		uri := wamp.URIInvalidArgument
		if e.Epoch {
			uri = wamp.URIWrongEpoch
		}
		return &wamp.Error{URI: uri, Text: e.Error()}
	}
	if _, ok := unavailable(err); ok {
		return &wamp.Error{URI: wamp.URIUnavailableHere, Text: "persistent subscriptions cannot be read or written at the moment", Err: err}
	}
	return wampError(err)
}

// A watch follows a persistent subscription in one session: [router.Watch] by
// way of [events.Held].
type watch struct {
	govern  *governor
	kept    *holdings
	session *router.Session
	at      *holding
	held    *events.Held
	past    *past
	id      wamp.ID // guarded by kept.mu; 0 before Begun
}

// Begun implements [router.Watch].
func (w *watch) Begun(id wamp.ID) {
	w.kept.mu.Lock()
	defer w.kept.mu.Unlock()
	w.id = id
	w.at.held[id] = w.held
	if w.kept.all == nil {
		w.kept.all = make(map[*router.Session]*holding)
	}
	w.kept.all[w.session] = w.at // it may have been tidied up since
}

// Live implements [router.Watch].
func (w *watch) Live(now bool) { w.held.Live(now) }

// Queued implements [router.Watch].
func (w *watch) Queued() { w.held.Queued() }

// Ended implements [router.Watch].
func (w *watch) Ended() {
	w.kept.mu.Lock()
	begun := w.id != 0
	if w.at.held[w.id] == w.held {
		delete(w.at.held, w.id)
	}
	w.kept.mu.Unlock()
	if begun {
		w.held.Detach()
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), keeperPatience)
		_ = w.held.Abandon(ctx) // or it expires
		cancel()
	}
	w.kept.tidy(w.session)
}
