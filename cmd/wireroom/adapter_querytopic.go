package main

import (
	"encoding/base32"
	"strings"

	"github.com/wireroom/wireroom/events/query"
	"github.com/wireroom/wireroom/router/wamp"
)

// A topic of a query stands for a topic with a query, for clients that cannot
// send options:
//
//	wireroom.query.order.created.<query>
//
// Nothing is stored for it: the query is in it, in its normal form and base 32.
const queryTopics = "wireroom.query."

// maxTopic is how many bytes a URI may have.
const maxTopic = 1024

var queryEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// topicOfQuery returns the topic that stands for another one with a query.
func topicOfQuery(topic wamp.URI, q *query.Query) (wamp.URI, error) {
	text := q.Normal()
	uri := queryTopics + string(topic) + "." + queryEncoding.EncodeToString([]byte(text))
	if len(uri) > maxTopic {
		most := queryEncoding.DecodedLen(maxTopic - len(queryTopics) - len(topic) - 1)
		return "", wamp.Errorf(wamp.URILimit, "the query: expected at most %d bytes in its normal form, so that it fits into a topic, found %d: subscribe with the option _where", max(most, 0), len(text))
	}
	return wamp.URI(uri), nil
}

// Resolve implements [router.Resolver]: a topic of a query becomes the topic that
// it stands for, with the query as an option.
func (g *governor) Resolve(m *wamp.Subscribe) error {
	rest, ok := strings.CutPrefix(string(m.Topic), queryTopics)
	if !ok {
		return nil
	}
	dot := strings.LastIndexByte(rest, '.')
	if dot < 1 {
		return errQueryTopic()
	}
	text, err := queryEncoding.DecodeString(rest[dot+1:])
	if err != nil {
		return errQueryTopic()
	}
	for _, name := range []string{optionWhere, optionDialect} {
		if _, has := m.Options.Extra[name]; has {
			return wamp.Errorf(wamp.URIOptionNotAllowed, "option %s: expected without it, as the topic has a query already", name)
		}
	}
	if m.Options.Extra == nil {
		m.Options.Extra = make(map[string]any, 1)
	}
	m.Topic, m.Options.Extra[optionWhere] = wamp.URI(rest[:dot]), string(text)
	return nil
}

func errQueryTopic() error {
	return wamp.Errorf(wamp.URIInvalidURI, "the topic: expected what the procedure wireroom.query returned, which begins with %s, the topic of a class and a dot", queryTopics)
}
