package router

import (
	"sync"

	"github.com/wireroom/wireroom/router/wamp"
)

// filtered are the subscriptions that have a filter. They stand apart from the
// others and by filter first, since an event that passes few of many filters
// must meet those few only.
type filtered [brokerShards]filteredPart

type filteredPart struct {
	mu       sync.RWMutex // guards the following; taken before that of patterns
	exact    map[filteredTopic]*subscription
	patterns map[uint64]*patterns[subscription] // of each filter that patterns have
}

type filteredTopic struct {
	filter uint64
	topic  wamp.URI
}

func (f *filtered) part(id uint64) *filteredPart { return &f[id%brokerShards] }

// match appends the subscriptions with the filter that an event of the topic
// goes to, each once.
func (f *filtered) match(dst []*subscription, id uint64, topic, channel wamp.URI) []*subscription {
	part := f.part(id)
	part.mu.RLock()
	defer part.mu.RUnlock()
	if sub := part.exact[filteredTopic{id, topic}]; sub != nil {
		dst = append(dst, sub)
	}
	if channel != "" {
		if sub := part.exact[filteredTopic{id, channel}]; sub != nil {
			dst = append(dst, sub)
		}
	}
	if list := part.patterns[id]; list != nil {
		dst = list.matchEither(dst, topic, channel)
	}
	return dst
}

// find returns a subscription, or nil.
func (f *filtered) find(topic wamp.URI, match wamp.Match, id uint64) *subscription {
	part := f.part(id)
	part.mu.RLock()
	defer part.mu.RUnlock()
	return f.get(topic, match, id)
}

// get is find for a caller that holds the part's mu, as do those of put and
// delete.
func (f *filtered) get(topic wamp.URI, match wamp.Match, id uint64) *subscription {
	part := f.part(id)
	if match == wamp.Exact {
		return part.exact[filteredTopic{id, topic}]
	}
	if list := part.patterns[id]; list != nil {
		return list.get(topic, match)
	}
	return nil
}

func (f *filtered) put(sub *subscription) {
	id := sub.filter.ID
	part := f.part(id)
	if sub.match == wamp.Exact {
		if part.exact == nil {
			part.exact = make(map[filteredTopic]*subscription)
		}
		part.exact[filteredTopic{id, sub.topic}] = sub
		return
	}
	list := part.patterns[id]
	if list == nil {
		if part.patterns == nil {
			part.patterns = make(map[uint64]*patterns[subscription])
		}
		list = new(patterns[subscription])
		part.patterns[id] = list
	}
	list.put(sub.topic, sub.match, sub)
}

func (f *filtered) delete(sub *subscription) {
	id := sub.filter.ID
	part := f.part(id)
	if sub.match == wamp.Exact {
		delete(part.exact, filteredTopic{id, sub.topic})
		return
	}
	list := part.patterns[id]
	list.delete(sub.topic, sub.match)
	if list.count.Load() == 0 {
		delete(part.patterns, id)
	}
}
