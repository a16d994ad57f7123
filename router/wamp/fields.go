package wamp

import (
	"bytes"
	"slices"
	"strings"
)

// fields remembers the keys of one dictionary, to find one that comes twice.
type fields struct {
	q    seq
	few  [16][]byte
	n    int
	many map[string]struct{} // once few is full
}

// begin enters the dictionary part of the message.
func (d *Decoder) begin(part string) bool {
	if !d.element(part) {
		return false
	}
	if d.typed() != kindDict {
		d.expected("dict")
		return false
	}
	d.dict.q, d.dict.n, d.dict.many = d.entered(), 0, nil
	return true
}

// field goes to the dictionary's next entry that is not null and leaves its key
// in d.name. A null is as good as absent: some clients write all that they
// could have said, such as wampy with MessagePack and CBOR.
func (d *Decoder) field() bool {
	for d.entry() {
		if !d.null() {
			return d.err == nil
		}
	}
	return false
}

// entry goes to the dictionary's next entry and leaves its key in d.name.
func (d *Decoder) entry() bool {
	d.name, d.index = nil, -1
	if !d.key(&d.dict.q) {
		return false
	}
	key := d.content()
	if d.tok.escaped || d.tok.chunked {
		key = bytes.Clone(key) // the next string decodes to the same place
	}
	if key == nil {
		key = []byte{}
	}
	d.name = key
	if d.dict.seen(key) {
		d.violation("key stands twice in a dict")
		return false
	}
	return true
}

// seen reports whether key came before.
func (f *fields) seen(key []byte) bool {
	if f.many != nil {
		_, ok := f.many[string(key)]
		f.many[string(key)] = struct{}{}
		return ok
	}
	for _, k := range f.few[:f.n] {
		if bytes.Equal(k, key) {
			return true
		}
	}
	if f.n < len(f.few) {
		f.few[f.n] = key
		f.n++
		return false
	}
	f.many = make(map[string]struct{}, 2*len(f.few))
	for _, k := range f.few {
		f.many[string(k)] = struct{}{}
	}
	f.many[string(key)] = struct{}{}
	return false
}

// details reads the dictionary part of the message as it is; nil if empty.
func (d *Decoder) details(part string) (details map[string]any) {
	for ok := d.begin(part); ok && d.entry(); {
		d.keep(&details)
	}
	return details
}

// keep puts the entry that field went to into dict.
func (d *Decoder) keep(dict *map[string]any) {
	key := string(d.name)
	v := d.value()
	if *dict == nil {
		*dict = make(map[string]any)
	}
	(*dict)[key] = v
}

// other deals with an entry that the protocol does not know: one of ours is
// kept, any other skipped.
func (d *Decoder) other(extra *map[string]any) {
	if len(d.name) > 0 && d.name[0] == '_' {
		d.keep(extra)
		return
	}
	d.skip()
}

// common reads an entry that many messages can have, and reports whether it
// was one.
func (d *Decoder) common(pass *Passthru) bool {
	switch string(d.name) {
	case "forward_for":
		d.forwardFor()
	case "ppt_scheme":
		pass.Scheme = d.text()
	case "ppt_serializer":
		pass.Serializer = d.text()
	case "ppt_cipher":
		pass.Cipher = d.text()
	case "ppt_keyid":
		pass.KeyID = d.text()
	case "enc_algo":
		switch pass.EncAlgo = d.text(); {
		case d.err != nil:
		case pass.EncAlgo == "cryptobox", pass.EncAlgo == "mqtt", pass.EncAlgo == "xbr":
		case strings.HasPrefix(pass.EncAlgo, "x_"):
		default:
			d.oneOf("cryptobox, mqtt, xbr or x_…", pass.EncAlgo)
		}
	case "enc_serializer":
		pass.EncSerializer = d.text()
	case "enc_key":
		pass.EncKey = d.text()
	default:
		return false
	}
	return true
}

// forwardFor checks the trace of a message that came through other routers,
// which is of no use here.
func (d *Decoder) forwardFor() {
	for q := d.items(); d.item(&q); {
		if d.typed() != kindDict {
			d.expected("dict")
			return
		}
		for hop := d.entered(); d.key(&hop); {
			switch string(d.content()) {
			case "session":
				d.id()
			case "authid", "authrole":
				d.text()
			default:
				d.skip()
			}
		}
	}
	d.index = -1
}

// match reads a matching policy.
func (d *Decoder) match() Match {
	v := d.text()
	for m := Exact; m <= Wildcard; m++ {
		if v == m.String() {
			return m
		}
	}
	if d.err == nil {
		d.oneOf("exact, prefix or wildcard", v)
	}
	return Exact
}

// enum reads a string that must be one of values.
func (d *Decoder) enum(values ...string) string {
	v := d.text()
	if d.err == nil && !slices.Contains(values, v) {
		last := len(values) - 1
		d.oneOf(strings.Join(values[:last], ", ")+" or "+values[last], v)
	}
	return v
}

// cancelMode reads a mode of CANCEL, or of INTERRUPT, which has no skip.
func (d *Decoder) cancelMode() CancelMode {
	last, names := Skip, "skip, kill or killnowait"
	if d.msg == TypeInterrupt {
		last, names = Kill, "kill or killnowait"
	}
	v := d.text()
	for m := KillNoWait; m <= last; m++ {
		if v == m.String() {
			return m
		}
	}
	if d.err == nil {
		d.oneOf(names, v)
	}
	return KillNoWait
}
