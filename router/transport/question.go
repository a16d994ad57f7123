package transport

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/wireroom/wireroom/router/wamp"
)

// maxTopics is how many topics one stream may have: each of its events may say
// how far the logs of all have come.
const maxTopics = 64

// A question is what a request for an event stream asks for.
type question struct {
	realm  wamp.URI // empty: the first one
	topics []string // at least one, each once
	match  wamp.Match
	last   string        // how many past events; empty: not asked
	since  string        // from where on; empty: not asked
	extra  []extraOption // of all subscriptions
	after  []LogPosition // of the topics, from Last-Event-ID; nil: there was none
	token  string        // a JWT, or a client token; empty: none
}

// An extraOption is an option of a subscription that is handed on as it is.
type extraOption struct{ name, value string }

// extraOptions are the parameters that are such options, if they are there.
var extraOptions = []extraOption{{"_where", "where"}, {"_dialect", "dialect"}}

// readQuestion reads a request, or says what is wrong with it.
func readQuestion(r *http.Request) (*question, *webProblem) {
	bad := func(format string, args ...any) (*question, *webProblem) {
		return nil, &webProblem{status: http.StatusBadRequest, detail: fmt.Sprintf(format, args...)}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad("the query cannot be read: %v", err)
	}
	for _, name := range []string{"realm", "match", "last", "since", "where", "dialect", "access_token", "last_event_id"} {
		if n := len(query[name]); n > 1 {
			return bad("%s: expected once, found %d times", name, n)
		}
	}
	q := &question{realm: wamp.URI(query.Get("realm")), last: query.Get("last"), since: query.Get("since")}
	for _, o := range extraOptions {
		if v, ok := query[o.value]; ok {
			q.extra = append(q.extra, extraOption{o.name, v[0]})
		}
	}
	for _, topic := range query["topic"] {
		if !slices.Contains(q.topics, topic) {
			q.topics = append(q.topics, topic)
		}
		if len(q.topics) > maxTopics {
			return bad("topic: expected at most %d, found more", maxTopics)
		}
	}
	if len(q.topics) == 0 {
		return bad("topic: expected at least one, such as ?topic=order.created, found none")
	}
	switch name := query.Get("match"); name {
	case "", "exact":
	case "prefix":
		q.match = wamp.Prefix
	case "wildcard":
		q.match = wamp.Wildcard
	default:
		return bad("match: expected exact, prefix or wildcard, found %q", name)
	}
	if q.last != "" {
		if _, err := strconv.ParseUint(q.last, 10, 53); err != nil {
			return bad("last: expected how many past events, found %q", q.last)
		}
	}
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = query.Get("last_event_id")
	}
	if id != "" {
		var ok bool
		if q.after, ok = parsePositions(id); !ok || len(q.after) != len(q.topics) {
			return bad("Last-Event-ID: expected the id of an event of these topics, found %q", id)
		}
	}
	var no *webProblem
	q.token, no = tokenOf(r, query.Get("access_token"))
	return q, no
}

// tokenOf returns the token of a request: in the Authorization header, or where
// a browser can put one (RFC 6750, 2.1 and 2.3).
func tokenOf(r *http.Request, inQuery string) (string, *webProblem) {
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		return inQuery, nil
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	token = strings.Trim(token, " ")
	if len(headers) > 1 || !ok || token == "" || !strings.EqualFold(scheme, "Bearer") || inQuery != "" {
		return "", &webProblem{
			status: http.StatusUnauthorized, uri: wamp.URIAuthenticationFail,
			detail: `expected one token, in the header "Authorization: Bearer <token>" or in access_token`,
		}
	}
	return token, nil
}

// options returns the options of the subscription to the i-th topic.
func (q *question) options(i int) wamp.SubscribeOptions {
	o := wamp.SubscribeOptions{Match: q.match}
	back := q.from(i)
	if len(q.extra) == 0 && back.Epoch == "" && q.last == "" && q.since == "" {
		return o
	}
	o.Extra = make(map[string]any, len(q.extra)+2)
	for _, e := range q.extra {
		o.Extra[e.name] = e.value
	}
	if back.Epoch != "" {
		o.Extra["_since"] = back.String()
		return o
	}
	if n, err := strconv.ParseUint(q.last, 10, 53); err == nil {
		o.Extra["_last"] = n
	}
	if n, err := strconv.ParseUint(q.since, 10, 53); err == nil {
		o.Extra["_since"] = n
	} else if q.since != "" {
		o.Extra["_since"] = q.since
	}
	return o
}

// from returns from where on the events of the i-th topic are to come, for a
// client that comes back; the zero value is nowhere.
func (q *question) from(i int) LogPosition {
	if q.after == nil {
		return LogPosition{}
	}
	return q.after[i]
}
