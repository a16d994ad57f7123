package auth

import (
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// graves remember what was revoked a moment ago, for those who had looked it
// up before and have not joined yet. So nobody slips in between, and joining
// does not have to ask the store twice.
type graves struct {
	when  map[grave]time.Time
	order []grave   // in which they came
	floor time.Time // what was looked up before is not known to be good any more
}

// A grave is of a client, or of one token.
type grave struct {
	client string
	token  [32]byte
}

// How long a grave is kept, which is longer than joining may take, and how many
// there are at most. If there are more, those who take long to join must try
// again.
const (
	graveTime = 5 * time.Minute
	maxGraves = 1 << 16
)

func graveOf(r Revocation) grave {
	if r.Token != ([32]byte{}) {
		return grave{token: r.Token}
	}
	return grave{client: r.Client}
}

func (g *graves) init() { g.when = make(map[grave]time.Time) }

// add remembers a revocation.
func (g *graves) add(one grave, now time.Time) {
	for len(g.order) > 0 {
		oldest := g.order[0]
		at := g.when[oldest]
		if now.Sub(at) < graveTime && len(g.order) < maxGraves {
			break
		}
		if now.Sub(at) < graveTime {
			g.floor = at
		}
		delete(g.when, oldest)
		g.order = g.order[1:]
	}
	if _, ok := g.when[one]; ok {
		g.when[one] = now // it keeps its place, where it holds up those behind it
		return
	}
	g.when[one] = now
	g.order = append(g.order, one)
}

// check returns why nobody may join, or stay, by the terms, if so.
func (g *graves) check(t *Terms, now time.Time) error {
	if t.client == "" {
		return nil
	}
	for _, one := range [...]grave{{client: t.client}, {token: t.token}} {
		if at, ok := g.when[one]; ok && !t.known.After(at) {
			return revoked(textRevoked)
		}
	}
	if t.known.Before(g.floor) || now.Sub(t.known) >= graveTime {
		return wamp.Errorf(wamp.URIUnavailable, "it took too long to join: connect again")
	}
	return nil
}
