package xmlrpc

import (
	"bytes"
	"slices"
)

// data returns the JSON of a value in bytes of its own, with the members of
// structs in the order of their names. They have none in XML-RPC: a client that
// makes its call again may write them in another order, and must send the same
// event by that.
func (d *decoder) data(i int) []byte {
	return d.appendInOrder(make([]byte, 0, d.nodes[i].end-d.nodes[i].start), i)
}

func (d *decoder) appendInOrder(dst []byte, i int) []byte {
	n := d.nodes[i]
	switch n.typ {
	case typeStruct:
		first := len(d.siblings)
		members := d.byName(i+1, int(n.next))
		for k, m := range members {
			dst = append(dst, "{,"[min(k, 1)])
			dst = append(append(dst, d.memberName(int(m))...), ':')
			dst = d.appendInOrder(dst, int(m))
		}
		d.siblings = d.siblings[:first]
		if len(members) == 0 {
			dst = append(dst, '{')
		}
		return append(dst, '}')
	case typeArray:
		dst = append(dst, '[')
		for m := i + 1; m < int(n.next); m = int(d.nodes[m].next) {
			if m > i+1 {
				dst = append(dst, ',')
			}
			dst = d.appendInOrder(dst, m)
		}
		return append(dst, ']')
	default:
		return append(dst, d.jsonOf(i)...)
	}
}

// byName appends the members of a struct to siblings, in the order of their
// names, and returns that part of it. Their nodes are from first on, before end.
func (d *decoder) byName(first, end int) []int32 {
	before := len(d.siblings)
	for m := first; m < end; m = int(d.nodes[m].next) {
		d.siblings = append(d.siblings, int32(m))
	}
	members := d.siblings[before:]
	slices.SortFunc(members, func(a, b int32) int {
		return bytes.Compare(d.memberName(int(a)), d.memberName(int(b)))
	})
	return members
}
