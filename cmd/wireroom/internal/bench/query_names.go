package bench

import (
	"strconv"
	"time"
)

// The ways to subscribe to the same events.
const (
	byTopic   = "topic"
	byChannel = "channel"
	byShared  = "shared-query"
	byQuery   = "query"
)

var queryWays = []string{byTopic, byChannel, byShared, byQuery}

// The event classes: without channels, and with one for each customer.
const (
	ordersClass   = "bench.orders"
	channelsClass = "bench.channels"
)

// defaultQueryDuration is how long each measurement lasts unless the flags say
// otherwise.
const defaultQueryDuration = 10 * time.Second

// customer returns the customer of a group of sessions: what its events have,
// and others have not.
func customer(group int) string { return "c" + strconv.Itoa(group) }

// publishedTo returns the topic that the events of a group are published to.
func publishedTo(way, base string, group int) string {
	switch way {
	case byTopic:
		return base + "." + customer(group)
	case byChannel:
		return channelsClass
	}
	return ordersClass
}

// subscribedTo returns what the member of a group subscribes to. A query is in
// single quotes, which need no escape in any serialization. Queries of different
// members differ, and all are true of an order with a total of orderTotal.
func subscribedTo(way, base string, group, member int) (topic string, options dict) {
	query := "customer == '" + customer(group) + "' && total > "
	switch way {
	case byTopic:
		return publishedTo(way, base, group), dict{}
	case byChannel:
		return channelsClass + "." + customer(group), dict{}
	case byShared:
		return ordersClass, dict{"_where": query + "0"}
	}
	return ordersClass, dict{"_where": query + strconv.Itoa(member)}
}

// orderTotal is the total of every order, more than there can be sessions in a
// group.
const orderTotal uint64 = 2_000_000

// orderTemplate returns the template of a PUBLISH of an order of a group, whose
// text is the payload.
func orderTemplate(s serializer, way, base string, group int, payload []byte) *template {
	order := dict{"customer": customer(group), "total": orderTotal, "text": string(payload)}
	return templateOf(s, payload, codePublish, dict{}, publishedTo(way, base, group), list{}, order)
}
