package wamp

import (
	"math"
	"strconv"
)

// A Decoder decodes messages. The zero value is ready to use. It is not safe
// for concurrent use; keep one for each goroutine, or some in a [sync.Pool].
//
// It is large, some 10 KiB, because it holds one message of each type and the
// strings that came lately.
type Decoder struct {
	// MaxDepth is how deep lists and dictionaries may nest, the message's own
	// list being the first level; 0 means 64. More than 10,000 is 10,000.
	MaxDepth int

	scanner
	names internTable
	list  seq // the message's own list
	dict  fields

	messages
}

// messages has one message of each type.
type messages struct {
	hello         Hello
	welcome       Welcome
	abort         Abort
	challenge     Challenge
	authenticate  Authenticate
	goodbye       Goodbye
	error         ErrorMessage
	publish       Publish
	published     Published
	subscribe     Subscribe
	subscribed    Subscribed
	unsubscribe   Unsubscribe
	unsubscribed  Unsubscribed
	event         Event
	eventReceived EventReceived
	call          Call
	cancel        Cancel
	result        Result
	register      Register
	registered    Registered
	unregister    Unregister
	unregistered  Unregistered
	invocation    Invocation
	interrupt     Interrupt
	yield         Yield
}

// Decode decodes the message that data holds in s, and checks all of it: the
// number and types of its elements, the ranges of IDs, the type of every option
// that WAMP defines, and that the payload is well formed. Options that it does
// not know are checked for form and skipped; one that is null is as good as
// absent, as is a null before keyword arguments. URIs are checked to be strings,
// not for their syntax ([URI.Valid]).
//
// The message belongs to the Decoder and is valid until the next Decode; the
// bytes of its [Payload] are part of data and live as long. Strings, lists and
// maps in it are its own and may be kept, so that a copy of the struct with a
// [Payload.Clone] lasts. A dictionary that is empty is nil.
//
// The error is always an [*Error] with [URIProtocolViolation]; its text names
// message, place, what was expected and what was found.
func (d *Decoder) Decode(s Serializer, data []byte) (Message, error) {
	depth := d.MaxDepth
	if depth <= 0 {
		depth = defaultMaxDepth
	}
	d.reset(s, data, min(depth, maxMaxDepth))
	m := d.message()
	d.end()
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

// maxType is the largest code that WAMP gives to a message.
const maxType = 1023

// message decodes the list that every message is.
func (d *Decoder) message() Message {
	d.part = "message"
	if d.typed() != kindList {
		d.expected("list")
		return nil
	}
	d.list = d.entered()
	if !d.more(&d.list) {
		d.violation("empty list")
		return nil
	}
	if d.typed() != kindUint {
		d.part = "message type"
		d.expected("integer")
		return nil
	}
	code := d.tok.n
	if code > maxType || !Type(code).known() {
		d.violation("unknown type %d", code)
		return nil
	}
	d.msg, d.part = Type(code), ""
	m := d.elements()
	if d.err == nil && d.more(&d.list) {
		d.part, d.name = "", nil
		d.violation("more than the %d elements that it can have", d.list.i-1)
	}
	return m
}

// elements decodes what comes after the type code.
func (d *Decoder) elements() Message {
	switch d.msg {
	case TypeHello:
		return d.decodeHello()
	case TypeWelcome:
		return d.decodeWelcome()
	case TypeAbort:
		return d.decodeAbort()
	case TypeChallenge:
		return d.decodeChallenge()
	case TypeAuthenticate:
		return d.decodeAuthenticate()
	case TypeGoodbye:
		return d.decodeGoodbye()
	case TypeError:
		return d.decodeError()
	case TypePublish:
		return d.decodePublish()
	case TypePublished:
		d.published.Request, d.published.Publication = d.ids2("Request", "Publication")
		return &d.published
	case TypeSubscribe:
		return d.decodeSubscribe()
	case TypeSubscribed:
		d.subscribed.Request, d.subscribed.Subscription = d.ids2("Request", "Subscription")
		return &d.subscribed
	case TypeUnsubscribe:
		d.unsubscribe.Request, d.unsubscribe.Subscription = d.ids2("Request", "Subscription")
		return &d.unsubscribe
	case TypeUnsubscribed:
		return d.decodeUnsubscribed()
	case TypeEvent:
		return d.decodeEvent()
	case TypeEventReceived:
		d.eventReceived.Publication = d.idAt("Publication")
		return &d.eventReceived
	case TypeCall:
		return d.decodeCall()
	case TypeCancel:
		return d.decodeCancel()
	case TypeResult:
		return d.decodeResult()
	case TypeRegister:
		return d.decodeRegister()
	case TypeRegistered:
		d.registered.Request, d.registered.Registration = d.ids2("Request", "Registration")
		return &d.registered
	case TypeUnregister:
		d.unregister.Request, d.unregister.Registration = d.ids2("Request", "Registration")
		return &d.unregister
	case TypeUnregistered:
		return d.decodeUnregistered()
	case TypeInvocation:
		return d.decodeInvocation()
	case TypeInterrupt:
		return d.decodeInterrupt()
	default:
		return d.decodeYield()
	}
}

// element goes to the message's next element, which must be there.
func (d *Decoder) element(part string) bool {
	if d.optional(part) {
		return true
	}
	if d.err == nil {
		d.part = ""
		d.violation("ends after %d elements, before %s", d.list.i, part)
	}
	return false
}

// optional goes to the message's next element, if there is one.
func (d *Decoder) optional(part string) bool {
	d.part, d.name, d.index = part, nil, -1
	return d.more(&d.list)
}

// idAt reads the element part, an ID.
func (d *Decoder) idAt(part string) ID {
	if !d.element(part) {
		return 0
	}
	return d.id()
}

func (d *Decoder) ids2(part1, part2 string) (ID, ID) {
	id1 := d.idAt(part1)
	return id1, d.idAt(part2)
}

// requestOrZero reads the element Request, which is 0 in a message that the
// router sends of its own accord.
func (d *Decoder) requestOrZero() ID {
	if !d.element("Request") {
		return 0
	}
	return ID(d.uint(0))
}

// uriAt reads the element part, a URI.
func (d *Decoder) uriAt(part string) URI {
	if !d.element(part) {
		return ""
	}
	return URI(d.text())
}

const idRange = "integer in 1 to 9007199254740992"

// id reads an ID.
func (d *Decoder) id() ID { return ID(d.uint(1)) }

// uint reads an integer in least to 2^53.
func (d *Decoder) uint(least uint64) uint64 {
	if d.typed() == kindFloat {
		d.wideInteger()
	}
	if d.tok.kind != kindUint || d.tok.n < least || d.tok.n > uint64(MaxID) {
		what := idRange
		if least != 1 {
			what = "integer in " + strconv.FormatUint(least, 10) + " to 9007199254740992"
		}
		d.expected(what)
		return 0
	}
	return d.tok.n
}

// wideInteger makes the float in tok an integer, if it is one of more than 32
// bits. JavaScript has no other numbers, and its codecs for MessagePack and CBOR
// (msgpackr and cbor-x, which wampy uses) write integers of up to 32 bits as
// integers and larger ones, such as session IDs, as doubles.
func (d *Decoder) wideInteger() {
	if d.s == JSON || d.tok.short {
		return
	}
	v := math.Float64frombits(d.tok.n)
	if v > math.MaxUint32 && v <= float64(MaxID) && v == math.Trunc(v) {
		d.tok.kind, d.tok.n = kindUint, uint64(v)
	}
}

// bool reads a bool.
func (d *Decoder) bool() bool {
	if d.typed() != kindBool {
		d.expected("bool")
	}
	return d.tok.n == 1
}

// text reads a string.
func (d *Decoder) text() string {
	if d.typed() != kindString {
		d.expected("string")
		return ""
	}
	return d.names.string(d.content())
}

// secret reads a string that is not to be remembered.
func (d *Decoder) secret() string {
	if d.typed() != kindString {
		d.expected("string")
		return ""
	}
	return string(d.content())
}

// texts reads a list of strings. An empty one is not nil.
func (d *Decoder) texts() []string {
	list := []string{}
	for q := d.items(); d.item(&q); {
		list = append(list, d.text())
	}
	d.index = -1
	return list
}

// idList reads a list of IDs. An empty one is not nil.
func (d *Decoder) idList() []ID {
	list := []ID{}
	for q := d.items(); d.item(&q); {
		list = append(list, d.id())
	}
	d.index = -1
	return list
}

// items enters a list.
func (d *Decoder) items() seq {
	if d.typed() != kindList {
		d.expected("list")
	}
	return d.entered()
}

// item goes to the next element of a list that items entered.
func (d *Decoder) item(q *seq) bool {
	d.index = -1
	if !d.more(q) {
		return false
	}
	d.index = int(q.i - 1)
	return true
}

// oneOf fails because the string in v is none of the values that the protocol
// has at this place.
func (d *Decoder) oneOf(values, v string) {
	d.violation("expected %s, found %q", values, shorten([]byte(v)))
}

// payload reads the arguments at the end of a message.
func (d *Decoder) payload(p *Payload, pass *Passthru) {
	p.Serializer = d.s
	if !d.optional(partArgs) {
		return
	}
	raw, k := d.rawValue()
	null := k == kindNil
	switch {
	case null: // see below
	case k == kindList:
		p.Args = raw
	case (k == kindString || k == kindBinary) && pass.given():
		p.Opaque = raw
		return
	default:
		d.expected("list")
		return
	}
	if !d.optional(partKwArgs) {
		// A client that can leave out the list in its own language, such
		// as nexus's, writes null for it when there is only a dict. A
		// null alone is nobody's way to say nothing.
		if null {
			d.part = partArgs
			d.violation("expected list, found null")
		}
		return
	}
	if raw, k = d.rawValue(); k != kindDict {
		d.expected("dict")
		return
	}
	p.KwArgs = raw
}

// rawValue reads one value and returns its bytes and its kind.
func (d *Decoder) rawValue() ([]byte, kind) {
	if d.s == JSON {
		d.space()
	}
	start := d.pos
	k := d.typed()
	if k == kindList || k == kindDict {
		d.skipRest()
		d.tok = token{kind: k}
	}
	return d.data[start:d.pos:d.pos], k
}
