package storetool

import (
	"context"
	"time"

	"github.com/wireroom/wireroom/events/store/redis"
)

// A GatewayInfo is about a gateway that uses a store in Redis.
type GatewayInfo struct {
	Name          string     `json:"name,omitempty"` // empty: not known
	Node          string     `json:"node"`
	Since         *time.Time `json:"since,omitempty"`         // when it came; nil: not known
	Epoch         uint64     `json:"epoch"`                   // in which its configuration last was the newest; 0: it has never been
	Configuration string     `json:"configuration,omitempty"` // "newest", "another" or "not known"
}

func (i *Info) describeGateways(ctx context.Context, v *redis.View) error {
	c, err := v.Configured(ctx)
	if err != nil {
		return err
	}
	i.Epoch = c.Epoch
	for _, g := range c.Gateways {
		n := GatewayInfo{Name: g.Name, Node: g.Node, Epoch: g.Epoch}
		if !g.Since.IsZero() {
			n.Since = &g.Since
		}
		switch g.Digest {
		case "":
			n.Configuration = "not known"
		case c.Digest:
			n.Configuration = "newest"
		default:
			n.Configuration = "another"
		}
		i.Gateways = append(i.Gateways, n)
	}
	return nil
}
