package nodes

import (
	"errors"
	"sync"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// Credentials are what sessions hang on: [auth.Sessions].
type Credentials interface {
	// End ends the sessions that a revocation names at this gateway.
	End(r auth.Revocation)

	// LookAgain ends the sessions whose tokens the store has no more, soon.
	LookAgain()
}

// Users that were logged out are known for logoutTime, so that gateways that were
// away can be told, and maxLogouts of them at most, the last ones. Of other
// gateways, those that were carried out here are known by their numbers, a few
// times as many.
const (
	logoutTime = time.Hour
	maxLogouts = 1024
	maxObeyed  = 8 * maxLogouts
)

// A notice tells of one revocation. Of tokens it is told once: whoever has missed
// it asks the store. Of users nothing but the notice is left.
type notice struct {
	Client string   `json:"client,omitempty"`
	Token  []byte   `json:"token,omitempty"`
	User   string   `json:"user,omitempty"`
	Realm  wamp.URI `json:"realm,omitempty"`
	Text   string   `json:"text,omitempty"`
	Number uint64   `json:"number,omitempty"` // of a user, here
	Age    int64    `json:"age,omitempty"`    // so many milliseconds ago the user was logged out

	Doubt bool `json:"doubt,omitempty"` // of some it could not be told: look at all tokens
	Again bool `json:"again,omitempty"` // say again which users were logged out
}

// Revocations are what is remembered of them.
type revocations struct {
	mu      sync.Mutex // guards the following; nothing is taken after it
	logouts []logout   // of users by this gateway, the oldest first
	last    uint64     // number of the last one
	doubt   bool       // some could not be said
	obeyed  map[obeyed]bool
	order   []obeyed // in which they came
}

// A logout is a notice of a user.
type logout struct {
	notice notice
	at     time.Time
}

// An obeyed notice is one of a user at another gateway.
type obeyed struct {
	node   string
	number uint64
}

// remember keeps a notice of a user, and gives it its number.
func (v *revocations) remember(n *notice, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last++
	n.Number = v.last
	v.logouts = append(v.recentLocked(now), logout{*n, now})
}

// recentLocked returns the logouts that are to be remembered besides one more.
func (v *revocations) recentLocked(now time.Time) []logout {
	list := v.logouts
	for len(list) > 0 && (len(list) >= maxLogouts || now.Sub(list[0].at) >= logoutTime) {
		list = list[1:]
	}
	return list
}

// notices returns those of users that are remembered.
func (v *revocations) notices(now time.Time) []notice {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []notice
	for _, l := range v.logouts {
		if now.Sub(l.at) < logoutTime {
			l.notice.Age = now.Sub(l.at).Milliseconds()
			list = append(list, l.notice)
		}
	}
	return list
}

// obey reports whether a notice is new.
func (v *revocations) obey(o obeyed) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.obeyed[o] {
		return false
	}
	if v.obeyed == nil {
		v.obeyed = make(map[obeyed]bool)
	}
	if len(v.order) == maxObeyed {
		delete(v.obeyed, v.order[0])
		v.order = v.order[1:]
	}
	v.obeyed[o] = true
	v.order = append(v.order, o)
	return true
}

// setDoubt notes whether some could not be said, and returns what was noted.
func (v *revocations) setDoubt(doubt bool) (was bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	was, v.doubt = v.doubt, doubt
	return was
}

// Revoked tells all other gateways of a revocation that took effect here. It does
// not wait: what cannot be said at once they learn later.
func (m *Mesh) Revoked(r auth.Revocation) {
	n := notice{Client: r.Client, User: r.User, Realm: r.Realm, Text: r.Text}
	if r.Token != ([32]byte{}) {
		n.Token = r.Token[:]
	}
	if r.Client == "" {
		m.revocations.remember(&n, time.Now())
	}
	if m.alone() {
		return // who is away will ask
	}
	if m.send(kindRevoked, &n) != nil {
		m.revocations.setDoubt(true)
		rouse(m.news)
	}
}

// sayDoubt tells others that there were revocations of which it could not be told
// before, if there were any.
func (m *Mesh) sayDoubt() error {
	if !m.revocations.setDoubt(false) {
		return nil
	}
	err := m.send(kindRevoked, &notice{Doubt: true})
	if err == nil {
		err = m.sayLogouts()
	}
	if err != nil {
		m.revocations.setDoubt(true)
	}
	return err
}

// sayLogouts tells others which users were logged out here.
func (m *Mesh) sayLogouts() error {
	for _, n := range m.revocations.notices(time.Now()) {
		if err := m.send(kindRevoked, &n); err != nil {
			return err
		}
	}
	return nil
}

// ask asks others who is present there, or which users were logged out there. What
// cannot be asked now, as the store is not heard, report asks later.
func (m *Mesh) ask(who, logouts bool) {
	m.mu.Lock()
	m.askWho, m.askLogouts = m.askWho || who, m.askLogouts || logouts
	m.mu.Unlock()
	if m.askAll() != nil {
		rouse(m.news)
	}
}

// askAll asks what is to be asked.
func (m *Mesh) askAll() error {
	m.mu.Lock()
	who, logouts := m.askWho, m.askLogouts
	m.askWho, m.askLogouts = false, false
	m.mu.Unlock()
	if logouts {
		if err := m.send(kindRevoked, &notice{Again: true}); err != nil {
			m.askLater(who, true)
			return err
		}
	}
	if who {
		if err := m.send(kindWho, struct{}{}); err != nil {
			m.askLater(true, false)
			return err
		}
	}
	return nil
}

// askLater notes what could not be asked.
func (m *Mesh) askLater(who, logouts bool) {
	m.mu.Lock()
	m.askWho, m.askLogouts = m.askWho || who, m.askLogouts || logouts
	m.mu.Unlock()
}

var errNobody = errors.New("a revocation of nobody: expected a client, a user, or a question")

// revoked carries out what was revoked at another gateway.
func (m *Mesh) revoked(from string, payload []byte) error {
	var n notice
	if _, err := decode(payload, &n); err != nil {
		return err
	}
	r := auth.Revocation{Client: n.Client, User: n.User, Realm: n.Realm, Text: n.Text}
	switch {
	case n.Doubt:
		m.cred.LookAgain()
		return nil
	case n.Again:
		return m.sayLogouts()
	case n.Client != "":
		if len(n.Token) != 0 && copy(r.Token[:], n.Token) < len(r.Token) {
			return errors.New("a token of another length: expected 32 bytes")
		}
	case n.User == "":
		return errNobody
	case n.Age > time.Since(m.born).Milliseconds(): // nobody was here then
		return nil
	case !m.revocations.obey(obeyed{from, n.Number}):
		return nil
	}
	m.counts.revoked.Add(1)
	m.cred.End(r)
	return nil
}
