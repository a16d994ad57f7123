package nodes

import (
	"context"
	"errors"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

const (
	// patience is how long other gateways have to say what they have ended. One
	// that has died is not waited for as soon as that is known.
	patience = 6 * time.Second

	// maxKilled is how many IDs an answer names.
	maxKilled = 100_000
)

// A sentence says which sessions are to end.
type sentence struct {
	Realm    wamp.URI       `json:"realm"`
	Ask      uint64         `json:"ask"`
	Session  wamp.ID        `json:"session,omitempty"`
	AuthID   *string        `json:"authid,omitempty"`
	AuthRole *string        `json:"authrole,omitempty"`
	All      bool           `json:"all,omitempty"`
	Except   wamp.ID        `json:"except,omitempty"`
	URI      wamp.URI       `json:"uri"`
	Text     string         `json:"text,omitempty"`
	Details  map[string]any `json:"details,omitempty"`
}

// An obituary says which sessions have ended.
type obituary struct {
	To  string    `json:"to"` // who asked
	Ask uint64    `json:"ask"`
	IDs []wamp.ID `json:"ids"`
}

// A question waits for answers of other gateways. It is guarded by Mesh.mu.
type question struct {
	waiting map[string]bool
	ids     []wamp.ID
	done    chan struct{} // closed when nobody is waited for
}

// answeredLocked notes the answer of a gateway.
func (q *question) answeredLocked(node string, ids []wamp.ID) {
	if !q.waiting[node] {
		return
	}
	delete(q.waiting, node)
	q.ids = append(q.ids, ids...)
	if len(q.waiting) == 0 {
		close(q.done)
	}
}

// Kill implements [router.Elsewhere].
func (r *Realm) Kill(ctx context.Context, k router.Kill) ([]wamp.ID, error) {
	m := r.mesh
	q := &question{waiting: make(map[string]bool), done: make(chan struct{})}
	m.mu.Lock()
	for id := range m.nodes {
		q.waiting[id] = true
	}
	if len(q.waiting) == 0 {
		m.mu.Unlock()
		return nil, nil
	}
	m.asks++
	ask := m.asks
	m.asked[ask] = q
	m.mu.Unlock()
	err := m.send(kindKill, &sentence{
		Realm: r.router.Name(), Ask: ask, Session: k.Session, AuthID: k.AuthID, AuthRole: k.AuthRole, All: k.All,
		Except: k.Except, URI: k.Why.URI, Text: k.Why.Text, Details: k.Why.Details,
	})
	if err == nil {
		err = m.await(ctx, q)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asked, ask)
	if err != nil {
		return q.ids, &wamp.Error{URI: wamp.URIUnavailableHere, Text: "not all gateways have been told, or have answered: try again", Err: err}
	}
	return q.ids, nil
}

var (
	errPatience = errors.New("another gateway does not answer")
	errClosed   = errors.New("the gateway is shutting down")
)

// await waits until all have answered.
func (m *Mesh) await(ctx context.Context, q *question) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-q.done:
		return nil
	case <-late.C:
		return errPatience
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-m.quit:
		return errClosed
	}
}

// kill ends sessions because another gateway says so.
func (m *Mesh) kill(from string, payload []byte) error {
	var s sentence
	if _, err := decode(payload, &s); err != nil {
		return err
	}
	answer := obituary{To: from, Ask: s.Ask}
	if r := m.realm(s.Realm); r != nil {
		answer.IDs = r.router.Kill(router.Kill{
			Session: s.Session, AuthID: s.AuthID, AuthRole: s.AuthRole, All: s.All, Except: s.Except,
			Why: &wamp.Error{URI: s.URI, Text: s.Text, Details: s.Details},
		})
	}
	answer.IDs = answer.IDs[:min(len(answer.IDs), maxKilled)]
	return m.send(kindKilled, &answer)
}

// killed takes the answer to what was asked here.
func (m *Mesh) killed(from string, payload []byte) error {
	var o obituary
	if _, err := decode(payload, &o); err != nil || o.To != m.bus.Node() {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.asked[o.Ask]; q != nil {
		q.answeredLocked(from, o.IDs)
	}
	return nil
}
