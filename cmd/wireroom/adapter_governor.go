package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"sync"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// A governor has the hub rule the topics of event classes: [router.Governor]
// by way of [events.Hub].
type governor struct {
	hub       *events.Hub
	queries   *events.Queries
	kept      *holdings
	anonymous string // the role of sessions that no user stands behind
	log       *slog.Logger

	mu    sync.Mutex // guards the following
	lines map[*router.Session]*line
}

// A line keeps the order of one session's publications while any of them is
// under way. Then it is forgotten.
type line struct {
	*events.Line
	under int // publications under way
}

// An origin is what a publication of a client takes with it through the hub.
type origin struct {
	id      wamp.ID
	from    *router.Session
	options *wamp.PublishOptions

	foreign   bool              // another gateway has accepted it
	publisher *router.Publisher // there; nil: no client
	missed    uint64            // so many that it has passed on before are missing
}

// Governs implements [router.Governor]: classes and their channels are ruled.
func (g *governor) Governs(topic wamp.URI) bool {
	_, _, ok := g.hub.Catalogue().Lookup(string(topic))
	return ok
}

// Publish implements [router.Governor].
func (g *governor) Publish(p *router.Publication, done func(wamp.ID, error)) {
	class, channel, _ := g.hub.Catalogue().Lookup(string(p.Topic))
	switch {
	case class == nil: // the catalogue changed a moment ago
		done(0, wampError(&events.UnknownClassError{Class: string(p.Topic)}))
		return
	case channel != "":
		done(0, &wamp.Error{
			URI: wamp.URIInvalidEvent,
			Text: "topic " + string(p.Topic) + " is a channel of the class " + class.Name() +
				": expected a publication to " + class.Name() + ", whose data decides on the channel",
			Details: map[string]any{"class": class.Name()},
		})
		return
	}
	if p.Options != nil && p.Options.Passthru.Scheme != "" {
		done(0, wamp.Errorf(wamp.URIOptionNotAllowed,
			"ppt_scheme: the class %s checks the data of its events, so they cannot be passed through", class.Name()))
		return
	}
	if class.Retain().Retained() && restricted(p.Options) {
		done(0, wamp.Errorf(wamp.URIOptionNotAllowed,
			"options exclude… and eligible…: the class %s is retained, and a replay would show the event to everybody who may see the class", class.Name()))
		return
	}
	data, err := eventData(class.Name(), p)
	if err != nil {
		done(0, err)
		return
	}
	o := &origin{id: router.NewID(), from: p.From, options: p.Options}
	l := g.enter(p.From)
	l.Publish(&events.Event{Class: class.Name(), Data: data, Origin: o}, func(r events.Receipt, err error) {
		g.leave(p.From, l)
		if err != nil {
			done(0, wampError(err))
			return
		}
		if id := publicationID(class.Name(), r.Epoch, r.Offset); id != 0 {
			done(id, nil)
			return
		}
		done(o.id, nil)
	})
}

// restricted reports whether the publisher chose who gets the event.
func restricted(o *wamp.PublishOptions) bool {
	return o != nil && (o.Exclude != nil || o.ExcludeAuthID != nil || o.ExcludeAuthRole != nil ||
		o.Eligible != nil || o.EligibleAuthID != nil || o.EligibleAuthRole != nil)
}

// enter returns the line of a session that publishes. Each call is followed by
// one of leave.
func (g *governor) enter(s *router.Session) *line {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lines[s]
	if l == nil {
		if g.lines == nil {
			g.lines = make(map[*router.Session]*line)
		}
		l = &line{Line: g.hub.NewLine()}
		g.lines[s] = l
	}
	l.under++
	return l
}

func (g *governor) leave(s *router.Session, l *line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.under--; l.under == 0 {
		delete(g.lines, s)
	}
}

var emptyObject = []byte("{}")

// eventData returns the JSON object that a publication to a class carries: its
// keyword arguments, or its only positional argument. The bytes are the
// caller's.
func eventData(class string, p *router.Publication) ([]byte, error) {
	invalid := func(found string) error {
		return &wamp.Error{
			URI:  wamp.URIInvalidEvent,
			Text: class + ": data: expected keyword arguments, or one dictionary as the only argument, found " + found,
			Details: map[string]any{
				"class": class, "field": "", "found": found,
				"expected": "keyword arguments, or one dictionary as the only argument",
			},
		}
	}
	if p.Payload.Opaque != nil {
		return nil, invalid("an opaque payload")
	}
	payload, err := p.Payload.In(wamp.JSON)
	if err != nil {
		return nil, err
	}
	var args []json.RawMessage
	if len(payload.Args) > len("[]") {
		if err := json.Unmarshal(payload.Args, &args); err != nil {
			return nil, wamp.Errorf(wamp.URIInvalidArgument, "%s: arguments that cannot be read: %v", class, err)
		}
	}
	kwargs := bytes.TrimSpace(payload.KwArgs)
	hasKwArgs := len(kwargs) > len("{}")
	switch {
	case len(args) == 0 && !hasKwArgs:
		return bytes.Clone(emptyObject), nil
	case len(args) == 0:
		return bytes.Clone(kwargs), nil
	case hasKwArgs:
		return nil, invalid("both positional and keyword arguments")
	case len(args) > 1:
		return nil, invalid(count(len(args), "positional argument", "positional arguments"))
	case bytes.TrimSpace(args[0])[0] != '{':
		return nil, invalid("one argument that is no dictionary")
	}
	return bytes.Clone(args[0]), nil
}
