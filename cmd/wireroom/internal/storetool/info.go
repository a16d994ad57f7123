package storetool

import (
	"context"
	"hash/maphash"
	"log/slog"
	"strings"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
	"github.com/wireroom/wireroom/events/store/redis"
)

var discard = slog.New(slog.DiscardHandler)

// An Info is what there is to know of a store.
type Info struct {
	Store string     `json:"store"`
	File  *FileInfo  `json:"file,omitempty"`
	Redis *RedisInfo `json:"redis,omitempty"`

	// Epoch is that of the configuration of the gateways that use the store; 0:
	// none has said which it has.
	Epoch    uint64        `json:"configuration_epoch,omitempty"`
	Gateways []GatewayInfo `json:"gateways,omitempty"`

	Logs          []LogInfo          `json:"logs"`
	Tokens        TokenInfo          `json:"tokens"`
	Subscriptions []SubscriptionInfo `json:"subscriptions"`
}

// A FileInfo is about the file of an embedded store.
type FileInfo struct {
	Format   int       `json:"format"`
	Bytes    int64     `json:"bytes"`
	Free     int64     `json:"free"` // of them, to be used before the file grows
	Modified time.Time `json:"modified"`
}

// A LogInfo is about one log.
type LogInfo struct {
	Class  string     `json:"class"`
	Realm  string     `json:"realm"`
	Epoch  string     `json:"epoch"`
	First  uint64     `json:"first"` // offset of the first event
	Last   uint64     `json:"last"`  // and of the last one; less than first: none
	Base   uint64     `json:"base,omitempty"`
	Events uint64     `json:"events"`
	Bytes  int64      `json:"bytes"`            // about what it takes in the store
	Oldest *time.Time `json:"oldest,omitempty"` // of its events
	Newest *time.Time `json:"newest,omitempty"`
	Stale  bool       `json:"stale,omitempty"` // the next gateway begins a new epoch
}

// A TokenInfo is about the tokens of clients.
type TokenInfo struct {
	Live    uint64 `json:"live"`
	Expired uint64 `json:"expired"`
	Users   uint64 `json:"users"` // that have a live one
}

// A SubscriptionInfo is about the persistent subscriptions to one class.
type SubscriptionInfo struct {
	Class   string `json:"class"`
	Realm   string `json:"realm"`
	Live    uint64 `json:"live"`
	Expired uint64 `json:"expired"`

	// Behind is how many events of the class the one that is furthest behind
	// has not acknowledged; more than the log has, if some are gone.
	Behind uint64 `json:"behind"`
}

// Describe reads what there is to know of a store. plain is the slot of the
// realm whose logs have the names of classes; own says which tokens are the
// gateway's own.
func Describe(ctx context.Context, s Source, plain [32]byte, own func(hash [32]byte) bool, now time.Time, p Progress) (i Info, err error) {
	switch v := s.(type) {
	case *embedded.View:
		f, err := v.File()
		if err != nil {
			return i, err
		}
		i.File = &FileInfo{f.Format, f.Size, f.Free, f.Modified.UTC()}
	case *redis.View:
		i.Redis = describeRedis(v.Server())
		if err := i.describeGateways(ctx, v); err != nil {
			return i, err
		}
	}
	realm := ""
	users := make(map[uint64]struct{})
	seed := maphash.MakeSeed()
	p.Part("tokens", 0)
	err = eachToken(ctx, s, func(t *auth.Token) error {
		p.Add(1)
		switch {
		case t.Hash == plain:
			realm = t.Client
		case own(t.Hash):
		case !t.Expires.After(now):
			i.Tokens.Expired++
		default:
			i.Tokens.Live++
			if t.User != "" {
				users[maphash.String(seed, t.User+"\x00"+t.Realm)] = struct{}{}
			}
		}
		return nil
	})
	if err != nil {
		return i, err
	}
	i.Tokens.Users = uint64(len(users))
	bounds, err := i.describeLogs(ctx, s, realm, p)
	if err != nil {
		return i, err
	}
	return i, i.describeSubscriptions(ctx, s, bounds, realm, now, p)
}

func (i *Info) describeLogs(ctx context.Context, s Source, plain string, p Progress) (map[string]events.Bounds, error) {
	logs, err := logsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	i.Logs = make([]LogInfo, 0, len(logs))
	bounds := make(map[string]events.Bounds, len(logs))
	p.Part("logs", uint64(len(logs)))
	for _, g := range logs {
		b := g.bounds
		bounds[g.class] = b
		l := LogInfo{Epoch: b.Epoch, First: b.First, Last: b.Next - 1, Base: b.Base, Events: b.Next - b.First, Stale: g.stale}
		l.Class, l.Realm = split(g.class, plain)
		if l.Bytes, err = s.LogBytes(ctx, g.class); err != nil {
			return nil, err
		}
		if l.Oldest, err = timeAt(ctx, s, g.class, b.First, b); err != nil {
			return nil, err
		}
		if l.Newest, err = timeAt(ctx, s, g.class, b.Next-1, b); err != nil {
			return nil, err
		}
		i.Logs = append(i.Logs, l)
		p.Add(1)
	}
	return bounds, nil
}

func (i *Info) describeSubscriptions(ctx context.Context, s Source, bounds map[string]events.Bounds, plain string, now time.Time, p Progress) error {
	i.Subscriptions = []SubscriptionInfo{}
	at := make(map[string]int)
	p.Part("persistent subscriptions", 0)
	return eachPersistent(ctx, s, func(sub *events.Persistent) error {
		p.Add(1)
		n, ok := at[sub.Class]
		if !ok {
			n = len(i.Subscriptions)
			at[sub.Class] = n
			class, realm := split(sub.Class, plain)
			i.Subscriptions = append(i.Subscriptions, SubscriptionInfo{Class: class, Realm: realm})
		}
		of := &i.Subscriptions[n]
		if !sub.Expires.After(now) {
			of.Expired++
			return nil
		}
		of.Live++
		b := bounds[sub.Class]
		behind := uint64(0)
		switch {
		case b.Epoch == "":
		case b.Epoch != sub.Position.Epoch:
			behind = b.Next - b.First // all that there is
		case b.Next-1 > sub.Position.Offset:
			behind = b.Next - 1 - sub.Position.Offset
		}
		of.Behind = max(of.Behind, behind)
		return nil
	})
}

// split takes the name of a log apart.
func split(log, plain string) (class, realm string) {
	class, realm, ok := strings.Cut(log, "@")
	if !ok {
		realm = plain
	}
	return class, realm
}

// timeAt returns the time of a record; nil if it is not there.
func timeAt(ctx context.Context, s Source, class string, offset uint64, b events.Bounds) (*time.Time, error) {
	if offset < b.First || offset >= b.Next {
		return nil, nil
	}
	r, err := recordAt(ctx, s, class, offset)
	if err != nil || r == nil {
		return nil, err
	}
	return &r.Time, nil
}

func countTokens(ctx context.Context, s Source, p Progress) (n uint64, err error) {
	err = eachToken(ctx, s, func(*auth.Token) error {
		n++
		p.Add(1)
		return nil
	})
	return n, err
}
