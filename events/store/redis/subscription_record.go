package redis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/internal/storekit"
)

// subscriptionVersion is the version of the fields of a persistent
// subscription.
const subscriptionVersion = "1"

// subscriptionFields returns the fields and values of a subscription, all of
// them, so that they replace what there was.
func subscriptionFields(p *events.Persistent) []any {
	explicit := ""
	if p.Explicit {
		explicit = "1"
	}
	return []any{
		"v", subscriptionVersion,
		"class", p.Class, "channel", p.Channel, "where", p.Where, "explicit", explicit,
		"created", p.Created.UnixMilli(), "seen", p.Seen.UnixMilli(), "expires", p.Expires.UnixMilli(), "for", int64(p.For),
		"epoch", p.Position.Epoch, "offset", min(p.Position.Offset, maxNumber), "acked", spansText(p.Acked),
	}
}

// parseSubscription reads what subscriptionFields gives.
func parseSubscription(owner, name string, fields map[string]string) (*events.Persistent, error) {
	fail := func(field string) error {
		return fmt.Errorf("%w: the persistent subscription %.80q has %.40q as %s", errDamaged, name, fields[field], field)
	}
	if fields["v"] != subscriptionVersion {
		return nil, fail("v")
	}
	p := &events.Persistent{
		Owner: owner, Name: name, Class: fields["class"], Channel: fields["channel"], Where: fields["where"], Explicit: fields["explicit"] != "",
	}
	p.Position.Epoch = fields["epoch"]
	var err error
	if p.Position.Offset, err = parseNumber(fields["offset"]); err != nil {
		return nil, fail("offset")
	}
	for field, to := range map[string]*time.Time{"created": &p.Created, "seen": &p.Seen, "expires": &p.Expires} {
		ms, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil {
			return nil, fail(field)
		}
		*to = time.UnixMilli(ms).UTC()
	}
	long, err := strconv.ParseInt(fields["for"], 10, 64)
	if err != nil {
		return nil, fail("for")
	}
	p.For = time.Duration(long)
	end := p.Position.Offset
	for text := range strings.FieldsSeq(fields["acked"]) {
		from, through, _ := strings.Cut(text, "-")
		var a events.Span
		if a.From, err = parseNumber(from); err == nil {
			a.Through, err = parseNumber(through)
		}
		if err != nil || a.From <= end || a.From-end < 2 || a.Through < a.From {
			return nil, fail("acked")
		}
		p.Acked = append(p.Acked, a)
		end = a.Through
	}
	return p, nil
}

// parseNumber reads a number up to which Lua can count.
func parseNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil && n > maxNumber {
		err = strconv.ErrRange
	}
	return n, err
}

// spansText returns spans as they stand in a field: "12-12 14-20".
func spansText(spans []events.Span) string {
	var b []byte
	for i, a := range spans {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, min(a.From, maxNumber), 10)
		b = append(b, '-')
		b = strconv.AppendUint(b, min(a.Through, maxNumber), 10)
	}
	return string(b)
}

// member returns what stands for an owner's subscription in the indexes and
// ends its key; with an empty name what all of an owner's begin with.
func member(owner, name string) string { return string(storekit.AppendMember(nil, owner, name)) }

// parseMember takes the owner and the name out of a member.
func parseMember(m string) (owner, name string, err error) {
	owner, name, ok := storekit.ParseMember(m)
	if !ok {
		return "", "", fmt.Errorf("%w: the index of persistent subscriptions has %.80q", errDamaged, m)
	}
	return owner, name, nil
}
