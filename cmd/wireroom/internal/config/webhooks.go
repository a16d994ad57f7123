package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/ingest/webhook"
	"github.com/wireroom/wireroom/router/wamp"
)

// A Webhook is an HTTP endpoint that is told of events, or that answers calls.
type Webhook struct {
	Name  string
	Realm string
	Role  string // empty: it may do everything
	Match wamp.Match

	// Of events. Again is decided by the class of the topic.
	Topic wamp.URI
	Hook  webhook.Config

	// Of calls; without a topic.
	Procedure   wamp.URI
	Invoke      string
	Concurrency int
	Callee      webhook.CalleeConfig
}

const maxWebhookName = 64

func (c *Config) readWebhooks(o *object) {
	o.list("webhooks", "list of mappings", "", func(n *yaml.Node, path string) {
		w := Webhook{
			Hook:   webhook.Config{QueueBytes: 4 << 20, GiveUp: 24 * time.Hour},
			Invoke: "single", Concurrency: 16,
		}
		o.d.object(n, path, func(o *object) { w.read(o) })
		if !o.d.describe {
			c.Webhooks = append(c.Webhooks, w)
		}
	})
}

func (w *Webhook) read(o *object) {
	o.string("name", &w.Name)
	o.required("name", "a name for the log")
	o.string("realm", &w.Realm)
	o.string("role", &w.Role)
	o.uri("topic", &w.Topic)
	o.uri("procedure", &w.Procedure)
	match := w.Match.String()
	o.oneOf("match", &match, wamp.Exact.String(), wamp.Prefix.String(), wamp.Wildcard.String())
	for m := wamp.Exact; m <= wamp.Wildcard; m++ {
		if m.String() == match {
			w.Match = m
		}
	}
	e := webhook.Endpoint{Timeout: 10 * time.Second}
	o.string("url", &e.URL)
	o.required("url", "the URL of an endpoint")
	var secret auth.Secret
	o.secret("secret", &secret)
	e.Secret = webhook.Secret(secret)
	o.duration("timeout", &e.Timeout, 100*time.Millisecond, 10*time.Minute)
	o.networks("allow", &e.Allow)

	format, form := webhook.Formats[w.Hook.Format], webhook.Forms[w.Callee.Form]
	o.oneOf("format", &format, webhook.Formats...)
	o.string("source", &w.Hook.Source)
	o.size("queue", &w.Hook.QueueBytes, 4<<10, 1<<30)
	o.duration("give_up", &w.Hook.GiveUp, time.Second, 30*day)
	o.oneOf("form", &form, webhook.Forms...)
	o.oneOf("invoke", &w.Invoke, "single", "first", "last", "roundrobin", "random", "load")
	o.integer("concurrency", &w.Concurrency, 1, 1000)
	if o.d.describe {
		return
	}
	w.Hook.Name, w.Hook.Endpoint, w.Hook.Format = w.Name, e, webhook.Format(slices.Index(webhook.Formats, format))
	w.Callee.Name, w.Callee.Endpoint, w.Callee.Form = w.Name, e, webhook.Form(slices.Index(webhook.Forms, form))
	o.validate(e.Validate)
	w.checkKind(o)
}

// checkKind reports what does not go together.
func (w *Webhook) checkKind(o *object) {
	uri, key, others := w.Topic, "topic", []string{"form", "invoke", "concurrency"}
	if w.Topic == "" {
		uri, key, others = w.Procedure, "procedure", []string{"format", "source", "queue", "give_up"}
	}
	if (w.Topic == "") == (w.Procedure == "") {
		o.report("topic", errors.New("expected either a topic, to be told of its events, or a procedure, to answer its calls"))
		return
	}
	if !uri.ValidPattern(w.Match) {
		o.report(key, fmt.Errorf("expected a URI for match %q, found %q", w.Match, uri))
	}
	for _, other := range others {
		if o.has(other) {
			o.report(other, fmt.Errorf("expected none with %s, found one", key))
		}
	}
}

// networks reads a list of networks, or single addresses.
func (o *object) networks(key string, v *[]netip.Prefix) {
	var texts []string
	o.strings(key, "networks", &texts, "")
	report := o.d.reporter(o.path)
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil {
			report(fmt.Sprintf("%s[%d]", key, i), fmt.Errorf("expected a network or an address, such as 10.0.0.0/8 or ::1, found %q", text))
			continue
		}
		*v = append(*v, p.Masked())
	}
}

// checkWebhooks finds the realm of each webhook, and reports roles that it
// lacks and names that two share.
func (c *Config) checkWebhooks(report func(path string, err error)) {
	names := map[string]int{}
	for i := range c.Webhooks {
		w := &c.Webhooks[i]
		path := fmt.Sprintf("webhooks[%d]", i)
		if n := len(w.Name); n > maxWebhookName {
			report(join(path, "name"), fmt.Errorf("expected at most %d bytes, found %d", maxWebhookName, n))
		}
		if first, ok := names[w.Name]; ok && w.Name != "" {
			report(join(path, "name"), fmt.Errorf("expected a name of its own, found %q, the name of webhook %d", w.Name, first))
		}
		names[w.Name] = i
		realm := c.namedRealm(&w.Realm, path, report)
		if realm != nil && w.Role != "" {
			if err := realm.hasRole(w.Role); err != nil {
				report(join(path, "role"), err)
			}
		}
		if w.Hook.Source == "" {
			w.Hook.Source = "/" + w.Realm
		}
		w.Callee.MaxAnswer = int64(c.Ingest.MaxBody)
	}
}
