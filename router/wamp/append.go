package wamp

import (
	"maps"
	"slices"
)

// begin starts a message of type t at the end of dst.
func begin(dst []byte, s Serializer, t Type) (encoder, int) {
	e := newEncoder(dst, s)
	at := e.openList()
	e.uint(uint64(t))
	return e, at
}

// finish ends the message that began at at and has n elements.
func (e *encoder) finish(at, n int) []byte {
	e.closeList(at, n)
	return e.b
}

// payload writes the elements that p makes, and returns how many.
func (e *encoder) payload(p *Payload) int {
	switch {
	case p.Opaque != nil:
		e.raw(p.Opaque)
		return 1
	case p.KwArgs != nil:
		if p.Args == nil {
			e.closeList(e.openList(), 0)
		} else {
			e.raw(p.Args)
		}
		e.raw(p.KwArgs)
		return 2
	case p.Args != nil:
		e.raw(p.Args)
		return 1
	}
	return 0
}

// dict writes a dictionary of any values.
func (e *encoder) dict(m map[string]any) {
	w := e.openFields()
	w.extra(m)
	w.close()
}

// A fieldWriter writes a dictionary entry by entry, leaving out what is zero.
type fieldWriter struct {
	e  *encoder
	at int // where the dictionary began
	n  int // entries
}

func (e *encoder) openFields() fieldWriter { return fieldWriter{e: e, at: e.openDict()} }

func (w *fieldWriter) close() { w.e.closeDict(w.at, w.n) }

func (w *fieldWriter) key(k string) {
	w.e.key(k)
	w.n++
}

func (w *fieldWriter) text(k, v string) {
	if v != "" {
		w.key(k)
		w.e.str(v)
	}
}

func (w *fieldWriter) uint(k string, v uint64) {
	if v != 0 {
		w.key(k)
		w.e.uint(v)
	}
}

func (w *fieldWriter) flag(k string, v bool) {
	if v {
		w.key(k)
		w.e.bool(true)
	}
}

// texts writes a list of strings unless it is nil.
func (w *fieldWriter) texts(k string, v []string) {
	if v != nil {
		w.key(k)
		w.e.strings(v)
	}
}

// ids writes a list of IDs unless it is nil.
func (w *fieldWriter) ids(k string, v []ID) {
	if v != nil {
		w.key(k)
		w.e.ids(v)
	}
}

func (w *fieldWriter) passthru(p *Passthru) {
	if *p == (Passthru{}) {
		return
	}
	w.text("ppt_scheme", p.Scheme)
	w.text("ppt_serializer", p.Serializer)
	w.text("ppt_cipher", p.Cipher)
	w.text("ppt_keyid", p.KeyID)
	w.text("enc_algo", p.EncAlgo)
	w.text("enc_serializer", p.EncSerializer)
	w.text("enc_key", p.EncKey)
}

// extra writes the entries of m in the order of their keys.
func (w *fieldWriter) extra(m map[string]any) {
	if len(m) == 0 {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.key(k)
		w.e.safeValue(m[k])
	}
}

func (w *fieldWriter) field(f *Field) {
	w.key(f.Key)
	switch f.kind {
	case fieldString:
		w.e.str(f.str)
	case fieldUint:
		w.e.uint(f.num)
	default:
		w.e.bool(f.num == 1)
	}
}

// appendIDs appends a message of two IDs.
func appendIDs(dst []byte, s Serializer, t Type, id1, id2 ID) []byte {
	e, at := begin(dst, s, t)
	e.uint(uint64(id1))
	e.uint(uint64(id2))
	return e.finish(at, 3)
}

// appendRevocation appends UNSUBSCRIBED or UNREGISTERED. key names what id
// identifies; it and reason are told only if the router acts on its own.
func appendRevocation(dst []byte, s Serializer, t Type, request ID, key string, id ID, reason URI) []byte {
	e, at := begin(dst, s, t)
	e.uint(uint64(request))
	if request != 0 {
		return e.finish(at, 2)
	}
	w := e.openFields()
	w.uint(key, uint64(id))
	w.text("reason", string(reason))
	w.close()
	return e.finish(at, 3)
}

// decodeRevocation reads what appendRevocation writes.
func (d *Decoder) decodeRevocation(key string) (request, id ID, reason URI) {
	request = d.requestOrZero()
	if request != 0 {
		// Details that say nothing to us may follow the answer of a
		// newer router.
		if d.optional("Details") {
			if d.typed() != kindDict {
				d.expected("dict")
			}
			d.skipRest()
		}
		return request, 0, ""
	}
	for ok := d.begin("Details"); ok && d.field(); {
		switch string(d.name) {
		case key:
			id = d.id()
		case "reason":
			reason = URI(d.text())
		default:
			d.skip()
		}
	}
	if d.err == nil && id == 0 {
		d.name = []byte(key)
		d.violation("expected %s, found nothing", idRange)
	}
	return request, id, reason
}
