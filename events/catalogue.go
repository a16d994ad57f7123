package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wireroom/wireroom/events/query"
)

// A Catalogue is a set of event classes. It is immutable, and so safe for
// concurrent use.
type Catalogue struct {
	byName  map[string]*Class
	classes []*Class // as the operator ordered them
}

// A Class is an event class. It is immutable, and so safe for concurrent use.
type Class struct {
	name    string
	config  ClassConfig
	data    *object
	schema  *query.Schema
	scope   *query.Query // see Scope
	channel int          // index in data.fields; -1: no channels
	key     uint64       // as classKey returns it
}

// CheckClasses reports everything that is wrong with the classes, by
// themselves and side by side. class is the name of the class at fault, and
// path is as for [ClassConfig.Validate].
func CheckClasses(classes []ClassConfig, report func(class, path string, err error)) {
	byName := make(map[string]*ClassConfig, len(classes))
	for i := range classes {
		c := &classes[i]
		c.Validate(func(path string, err error) { report(c.Name, path, err) })
		if byName[c.Name] != nil {
			report(c.Name, "", errors.New("expected each class once, found it again"))
		}
		byName[c.Name] = c
	}
	// The topic "order.ada" must not be both a class and a channel of another.
	for i := range classes {
		c := &classes[i]
		dot := strings.LastIndexByte(c.Name, '.')
		if dot < 0 {
			continue
		}
		if parent := byName[c.Name[:dot]]; parent != nil && parent.Channel != "" {
			report(c.Name, "", fmt.Errorf("expected a name that is no channel's topic, found one of the class %s, whose channels are its %s", parent.Name, parent.Channel))
		}
	}
}

// NewCatalogue returns a catalogue of the classes, or an error that joins
// everything that [CheckClasses] reports. It copies what it needs.
func NewCatalogue(classes []ClassConfig) (*Catalogue, error) {
	var problems []error
	CheckClasses(classes, func(class, path string, err error) {
		if path != "" {
			class += "." + path
		}
		problems = append(problems, fmt.Errorf("%s: %w", class, err))
	})
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	cat := &Catalogue{byName: make(map[string]*Class, len(classes))}
	for i := range classes {
		c := newClass(classes[i].clone())
		cat.byName[c.name] = c
		cat.classes = append(cat.classes, c)
	}
	return cat, nil
}

func newClass(config ClassConfig) *Class {
	c := &Class{
		name:    config.Name,
		config:  config,
		data:    newObject(config.Fields, config.Unknown == UnknownReject),
		schema:  newSchema(&config),
		scope:   classScope(config.Name),
		channel: -1,
		key:     classKey(&config),
	}
	if config.Channel != "" {
		c.channel = c.data.index[config.Channel]
		c.data.fields[c.channel].channel = true
	}
	if key := config.Delivery.Key; key != "" {
		c.data.fields[c.data.index[key]].keyed = true
	}
	return c
}

// Class returns the class with the name, or nil. It does not allocate.
func (cat *Catalogue) Class(name string) *Class { return cat.byName[name] }

// Classes returns all classes as the operator ordered them. The slice belongs
// to the caller.
func (cat *Catalogue) Classes() []*Class { return slices.Clone(cat.classes) }

// Len returns how many classes there are.
func (cat *Catalogue) Len() int { return len(cat.classes) }

// Lookup returns the class that a topic belongs to: the topic is either the
// name of the class or one of its channels, whose encoded value is then
// returned too. It does not allocate; channel is a part of topic.
func (cat *Catalogue) Lookup(topic string) (c *Class, channel string, ok bool) {
	if c = cat.byName[topic]; c != nil {
		return c, "", true
	}
	dot := strings.LastIndexByte(topic, '.')
	if dot < 0 || dot == len(topic)-1 {
		return nil, "", false
	}
	if c = cat.byName[topic[:dot]]; c == nil || c.channel < 0 {
		return nil, "", false
	}
	return c, topic[dot+1:], true
}

// Name returns the name of the class, which is also its topic.
func (c *Class) Name() string { return c.name }

// Access says who may receive events of the class. Its Roles must not be
// changed.
func (c *Class) Access() Access { return c.config.Access }

// Retain says how much of the class's past is kept.
func (c *Class) Retain() Retain { return c.config.Retain }

// Presence reports whether those who may receive events of the class, or of one of
// its channels, may know who else does.
func (c *Class) Presence() bool { return c.config.Presence }

// Persistent returns how long subscriptions to the class may outlive their
// sessions; 0: not at all.
func (c *Class) Persistent() time.Duration { return c.config.Persistent }

// HasChannels reports whether events of the class may belong to channels.
func (c *Class) HasChannels() bool { return c.channel >= 0 }

// Topic returns the topic of a channel, given its encoded value; for the empty
// channel, the topic of the class.
func (c *Class) Topic(channel string) string {
	if channel == "" {
		return c.name
	}
	return c.name + "." + channel
}

// Check checks the data of an event and returns the channel that it belongs
// to, encoded, or "" if it belongs to none. The error is an [*InvalidError].
//
// It does not allocate, except for the channel, and where a string in the data
// has escapes or there is something to complain about.
func (c *Class) Check(data []byte) (channel string, err error) {
	of, err := c.check(data)
	return of.channel, err
}

// A checked is what is known of data that fits its class.
type checked struct {
	object  []byte // the data without white space around it
	channel string // as for Check
	key     uint64 // as for [Event.Key]
}

// check is Check, and finds out more.
func (c *Class) check(data []byte) (checked, error) {
	s := getScanner(data, c)
	defer s.release()
	if s.event() {
		of := checked{object: data[s.start:s.end], channel: s.channel}
		if c.key != 0 {
			of.key = max(c.key^s.latest, 1)
		}
		return of, nil
	}
	return checked{object: data}, &InvalidError{Class: c.name, Problem: s.problems[0], More: slices.Clone(s.problems[1:])}
}

// clone returns a copy that shares nothing that can change.
func (c ClassConfig) clone() ClassConfig {
	c.Access.Roles = slices.Clone(c.Access.Roles)
	c.Fields = cloneFields(c.Fields)
	return c
}

func cloneFields(fields []FieldConfig) []FieldConfig {
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i] = fields[i].clone()
	}
	return fields
}

func (f FieldConfig) clone() FieldConfig {
	cloneInt := func(p *int) *int {
		if p == nil {
			return nil
		}
		return new(*p)
	}
	f.MinLength, f.MaxLength = cloneInt(f.MinLength), cloneInt(f.MaxLength)
	f.MinItems, f.MaxItems = cloneInt(f.MinItems), cloneInt(f.MaxItems)
	f.Enum = slices.Clone(f.Enum)
	f.Fields = cloneFields(f.Fields)
	if f.Items != nil {
		f.Items = new(f.Items.clone())
	}
	return f
}
