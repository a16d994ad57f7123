package router

import (
	"net/netip"

	"github.com/wireroom/wireroom/router/network"
	"github.com/wireroom/wireroom/router/wamp"
)

// A crowd counts the sessions that are without a connection: in all, and those
// of each user and each address, so that nobody takes the places of everybody.
type crowd struct {
	all       int
	users     map[user]int         // without those that have none
	addresses map[netip.Prefix]int // likewise
}

// A user is an authid in its realm. The zero value is nobody in particular, who
// is not counted.
type user struct {
	realm  wamp.URI
	authid string
}

// A place is what a session that is without a connection counts for.
type place struct {
	user    user
	address netip.Prefix // invalid: not known, or the peer is on this machine by a Unix socket
}

// placeOf returns the place of a session that lost its connection to the peer.
func placeOf(s *Session, p *Peer) (pl place) {
	if s.authid != "" {
		pl.user = user{s.realm.name, s.authid}
	}
	pl.address = network.Of(p.RemoteAddr)
	return pl
}

// enter takes a place, unless as many as cfg allows are taken. Then it says
// whose: none of all, of the user, or of the address.
func (c *crowd) enter(pl place, cfg *Resume) fullness {
	switch {
	case c.all >= cfg.Sessions:
		return fullOfAll
	case cfg.PerUser > 0 && c.users[pl.user] >= cfg.PerUser:
		return fullOfUser
	case cfg.PerAddress > 0 && c.addresses[pl.address] >= cfg.PerAddress:
		return fullOfAddress
	}
	c.all++
	if pl.user != (user{}) {
		if c.users == nil {
			c.users = make(map[user]int)
		}
		c.users[pl.user]++
	}
	if pl.address.IsValid() {
		if c.addresses == nil {
			c.addresses = make(map[netip.Prefix]int)
		}
		c.addresses[pl.address]++
	}
	return notFull
}

// A fullness is which places are taken.
type fullness uint8

const (
	notFull fullness = iota
	fullOfAll
	fullOfUser
	fullOfAddress
)

// leave gives up a place.
func (c *crowd) leave(pl place) {
	c.all--
	if n := c.users[pl.user]; n > 1 {
		c.users[pl.user] = n - 1
	} else {
		delete(c.users, pl.user)
	}
	if n := c.addresses[pl.address]; n > 1 {
		c.addresses[pl.address] = n - 1
	} else {
		delete(c.addresses, pl.address)
	}
}
