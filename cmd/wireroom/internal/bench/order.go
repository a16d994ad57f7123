package bench

// An order follows the sequence numbers that one subscriber receives and
// tells what was lost, came twice or came out of order. Numbers start at 0.
// The zero value is ready. It is not safe for concurrent use.
type order struct {
	next   uint64 // one more than the highest number seen
	window uint64 // bit i: number next-1-i was seen

	got   uint64 // different numbers seen
	twice uint64 // numbers seen again
	late  uint64 // numbers that came after a higher one
}

// see notes that seq was received. A number that is 64 or more behind the
// highest can't be told from a repeated one: it counts as late and not as
// got, so that it shows.
func (o *order) see(seq uint64) {
	if seq >= o.next {
		if ahead := seq - o.next + 1; ahead < 64 {
			o.window <<= ahead
		} else {
			o.window = 0
		}
		o.window |= 1
		o.next = seq + 1
		o.got++
		return
	}
	back := o.next - 1 - seq
	switch {
	case back >= 64:
		o.late++
	case o.window&(1<<back) != 0:
		o.twice++
	default:
		o.window |= 1 << back
		o.got++
		o.late++
	}
}
