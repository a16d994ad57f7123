package redis

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/events"
)

// What an entry of the feed is about.
const (
	kindJoin     = "j"
	kindLeave    = "l"
	kindMessages = "m"
	kindEvents   = "e"
)

// An entry is one of the feed.
type entry struct {
	number uint64
	node   string // that wrote it, or that it is about
	kind   string
	name   string // of kindJoin: that of the gateway, if it says it
	bad    error  // why it cannot be understood; it has nothing else but its number then

	messages []message         // of kindMessages
	records  []events.Record   // of kindEvents
	at       []events.Appended // where each of records is
}

// A message is what one node tells the others.
type message struct {
	kind    string
	payload []byte
}

// behind returns the greatest ID that begins with a number: that of the entry with
// this number, or of something that stands behind it and is none of ours.
func behind(number uint64) string { return strconv.FormatUint(number, 10) + "-18446744073709551615" }

// parseFeed reads what XREAD answers for one stream. An entry that cannot be
// understood is no reason to hear nothing of those behind it.
func parseFeed(reply any) ([]entry, error) {
	streams, ok := reply.([]any)
	if !ok || len(streams) != 1 {
		return nil, fmt.Errorf("%w: the feed is %T", errDamaged, reply)
	}
	stream, _ := streams[0].([]any)
	if len(stream) != 2 {
		return nil, fmt.Errorf("%w: the feed has %d parts", errDamaged, len(stream))
	}
	list, _ := stream[1].([]any)
	entries := make([]entry, len(list))
	for i, v := range list {
		pair, _ := v.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("%w: an entry of the feed has %d parts", errDamaged, len(pair))
		}
		id, _ := pair[0].(string)
		fields, ok := words(pair[1])
		if !ok {
			return nil, fmt.Errorf("%w: an entry of the feed has %T", errDamaged, pair[1])
		}
		if err := parseEntry(id, fields, &entries[i]); err != nil {
			if entries[i].number == 0 {
				return nil, err
			}
			entries[i] = entry{number: entries[i].number, bad: err}
		}
	}
	return entries, nil
}

// parseEntry reads an entry: the node, its kind, and what belongs to that.
func parseEntry(id string, fields []string, to *entry) (err error) {
	number, seq, _ := strings.Cut(id, "-")
	if to.number, err = strconv.ParseUint(number, 10, 64); err != nil {
		to.number = 0
	}
	if to.number == 0 || seq != "0" { // Redis gives no entry the number 0
		return fmt.Errorf("%w: an entry of the feed has the ID %.60q", errDamaged, id)
	}
	if len(fields) < 4 || fields[0] != "n" || fields[2] != "k" {
		return fmt.Errorf("%w: the entry %s of the feed begins with %d fields", errDamaged, id, len(fields))
	}
	to.node, to.kind = fields[1], fields[3]
	fields = fields[4:]
	switch to.kind {
	case kindJoin:
		if len(fields) >= 2 && fields[0] == "name" {
			to.name = fields[1]
		}
	case kindMessages:
		for ; len(fields) >= 2; fields = fields[2:] {
			to.messages = append(to.messages, message{fields[0], []byte(fields[1])})
		}
	case kindEvents:
		for ; len(fields) >= 4; fields = fields[4:] {
			r, at, err := parseTold(fields[0], fields[1], fields[2], fields[3])
			if err != nil {
				return err
			}
			to.records, to.at = append(to.records, r), append(to.at, at)
		}
	}
	if len(fields) > 0 && (to.kind == kindMessages || to.kind == kindEvents) {
		return fmt.Errorf("%w: the entry %s of the feed has %d fields too many", errDamaged, id, len(fields))
	}
	return nil
}

// parseTold reads an event of the feed. What stands for it is the epoch, base,
// offset, time, whether the data is there, and the id as in a log.
func parseTold(class, head, channel, data string) (r events.Record, at events.Appended, err error) {
	parts := strings.SplitN(head, " ", 6)
	damaged := fmt.Errorf("%w: the feed has an event %.120q", errDamaged, head)
	if len(parts) != 6 || len(parts[5]) < 2 {
		return r, at, damaged
	}
	var n [3]uint64
	for i := range n {
		if n[i], err = strconv.ParseUint(parts[1+i], 10, 64); err != nil {
			return r, at, damaged
		}
	}
	at = events.Appended{Epoch: parts[0], Base: n[0], Offset: n[1], Time: time.UnixMilli(int64(min(n[2], maxNumber))).UTC()}
	r = events.Record{
		Class: class, Channel: channel, ID: parts[5][1:], IDGiven: parts[5][0] == 'g',
		Time: at.Time, Offset: at.Offset,
	}
	if parts[4] == "all" {
		r.Data = []byte(data)
	}
	return r, at, nil
}
