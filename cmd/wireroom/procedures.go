package main

import (
	"context"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// provide offers the gateway's own procedures to the clients of its realm.
func provide(realm *router.Realm, hub *events.Hub, policy *auth.Policy, anonymous string) {
	realm.Provide("wireroom.class.list", func(_ context.Context, r *router.Request) ([]any, map[string]any, error) {
		return nil, map[string]any{"classes": listClasses(hub.Catalogue(), policy, anonymous, r.Session)}, nil
	})
}

// listClasses returns the classes whose events the session may receive, as the
// configuration file names their parts.
func listClasses(cat *events.Catalogue, policy *auth.Policy, anonymous string, s *router.Session) []any {
	list := []any{}
	role := s.AuthRole()
	for _, c := range cat.Classes() {
		visible := c.Access().Allows(role, role != anonymous) &&
			policy.Authorize(s.Realm().Name(), role, auth.Subscribe, wamp.URI(c.Name()), wamp.Exact)
		if visible {
			list = append(list, classDict(c.Describe()))
		}
	}
	return list
}

func classDict(d events.Description) map[string]any {
	m := map[string]any{
		"name":     d.Name,
		"access":   d.Access,
		"fields":   fieldDicts(d.Fields),
		"unknown":  string(d.Unknown),
		"retained": d.Retained,
	}
	if len(d.Roles) > 0 {
		m["access"] = d.Roles
	}
	set(m, "about", d.About)
	set(m, "channel", d.Channel)
	set(m, "keep_events", d.KeepEvents)
	set(m, "keep_seconds", d.KeepFor)
	set(m, "persistent_seconds", d.Persistent)
	set(m, "when_full", string(d.WhenFull))
	set(m, "key", d.Key)
	set(m, "presence", d.Presence)
	return m
}

func fieldDicts(fields []events.FieldDescription) []any {
	list := make([]any, len(fields))
	for i := range fields {
		list[i] = fieldDict(&fields[i])
	}
	return list
}

func fieldDict(f *events.FieldDescription) map[string]any {
	m := map[string]any{"type": string(f.Type), "required": f.Required, "expected": f.Expected}
	set(m, "name", f.Name)
	set(m, "pattern", f.Pattern)
	setPtr(m, "min", f.Min)
	setPtr(m, "max", f.Max)
	setPtr(m, "min_length", f.MinLength)
	setPtr(m, "max_length", f.MaxLength)
	setPtr(m, "min_items", f.MinItems)
	setPtr(m, "max_items", f.MaxItems)
	if len(f.Enum) > 0 {
		m["enum"] = f.Enum
	}
	if len(f.Fields) > 0 {
		m["fields"] = fieldDicts(f.Fields)
	}
	if f.Items != nil {
		m["items"] = fieldDict(f.Items)
	}
	return m
}

// set sets the key unless the value is zero.
func set[T comparable](m map[string]any, key string, v T) {
	if zero := *new(T); v != zero {
		m[key] = v
	}
}

// setPtr sets the key unless there is no value.
func setPtr[T any](m map[string]any, key string, v *T) {
	if v != nil {
		m[key] = *v
	}
}
