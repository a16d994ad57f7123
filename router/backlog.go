package router

// A backlog is what an outbox notes about its entries while many wait, so that
// making room costs the same however many there are. Places count from the
// first entry that was ever in the outbox; entries[i] has the place base+i.
type backlog struct {
	base   int // place of entries[0]
	dead   int // holes among the entries
	oldest int // no entry before this place may be dropped

	// For KeepLatest; nil as long as no such event waits.
	latest map[subject]int // the place of the last event of each subject
	stale  []int           // the places of those that a later one followed, in that order
}

// A subject is what events are the latest state of.
type subject struct {
	member *member
	key    uint64
}

// note returns the backlog, which it makes if there is none.
func (o *outbox) note() *backlog {
	if o.backlog == nil {
		o.backlog = &backlog{}
		o.indexAll()
	}
	return o.backlog
}

// indexLast notes the last entry, a KeepLatest one, if entries are noted. They
// are once more wait than a burst.
func (o *outbox) indexLast() {
	switch {
	case o.backlog != nil:
		o.backlog.index(o.entries, len(o.entries)-1)
	case len(o.entries) > burstFrames:
		o.note()
	}
}

func (o *outbox) indexAll() {
	for i := range o.entries {
		if e := &o.entries[i]; e.frame != nil && e.latest() {
			o.backlog.index(o.entries, i)
		}
	}
}

// index notes entries[i] as the last of its subject.
func (b *backlog) index(entries []entry, i int) {
	if b.latest == nil {
		b.latest = make(map[subject]int)
	}
	s := subject{entries[i].member, entries[i].key}
	if place, ok := b.latest[s]; ok {
		b.stale = append(b.stale, place)
	}
	b.latest[s] = b.base + i
	b.prune(len(entries))
}

// prune forgets stale places of entries that were taken, if most are such.
func (b *backlog) prune(entries int) {
	if len(b.stale) <= 2*entries+burstFrames {
		return
	}
	kept := b.stale[:0]
	for _, place := range b.stale {
		if place >= b.base {
			kept = append(kept, place)
		}
	}
	b.stale = kept
}

// supersede notes that e, which is about to be queued, makes an entry stale.
func (o *outbox) supersede(e *entry) {
	b, s := o.backlog, subject{e.member, e.key}
	if place, ok := b.latest[s]; ok {
		b.stale = append(b.stale, place)
		delete(b.latest, s)
	}
}

// took is told of entries that were taken from the front, and how many are left.
func (b *backlog) took(entries []entry, left int) {
	for i := range entries {
		e := &entries[i]
		if e.frame == nil {
			b.dead--
			continue
		}
		if s := (subject{e.member, e.key}); e.latest() && b.latest[s] == b.base+i {
			delete(b.latest, s)
		}
	}
	b.base += len(entries)
	b.oldest = max(b.oldest, b.base)
	b.prune(left)
}

// makeRoom drops what may be dropped for e, until the queue holds so many bytes
// less: first what is stale, which nobody needs, then the oldest. It drops no
// old events if that would not let e pass.
func (o *outbox) makeRoom(e *entry, over int) {
	fresh := o.backlog == nil
	b := o.note()
	if fresh && e.latest() {
		o.supersede(e)
	}
	for over > 0 && len(b.stale) > 0 {
		i := b.stale[0] - b.base
		b.stale = b.stale[1:]
		if i >= 0 && o.entries[i].frame != nil {
			o.entries[i].member.session.router.stats.superseded.Add(1)
			over -= o.drop(i)
		}
	}
	switch {
	case over <= o.loose:
	case o.bytes == o.loose && !e.mayDrop():
		over = o.loose // alone it may pass, however large it is
	default:
		over = 0
	}
	for ; over > 0; b.oldest++ {
		if i := b.oldest - b.base; o.entries[i].frame != nil && o.entries[i].mayDrop() {
			o.entries[i].member.session.router.stats.droppedOldest.Add(1)
			o.loose -= len(o.entries[i].frame)
			over -= o.drop(i)
		}
	}
	if b.dead > len(o.entries)/4*3 {
		o.squeeze()
	}
}

// drop makes a hole of entries[i] and returns its size.
func (o *outbox) drop(i int) int {
	e := &o.entries[i]
	size := len(e.frame)
	*e = entry{member: e.member, key: 1}
	o.bytes -= size
	o.backlog.dead++
	return size
}

// squeeze makes one hole of those between two events of a member, and notes the
// entries anew. There are then no more holes than events.
func (o *outbox) squeeze() {
	missed := make(map[*member]uint64)
	holes := 0
	kept := o.entries[:0] // grows no faster than it is read
	for _, e := range o.entries {
		if e.frame == nil {
			missed[e.member] += e.key
			continue
		}
		if n := missed[e.member]; n > 0 {
			kept = append(kept, entry{member: e.member, key: n})
			delete(missed, e.member)
			holes++
		}
		kept = append(kept, e)
	}
	for m, n := range missed {
		m.behind += n
	}
	clear(o.entries[len(kept):])
	o.entries = kept
	o.backlog = &backlog{dead: holes}
	o.indexAll()
}

// forgive forgets what the member missed. mu is held.
func (o *outbox) forgive(m *member) {
	m.missed, m.behind = 0, 0
	for i := range o.entries {
		if e := &o.entries[i]; e.frame == nil && e.member == m {
			e.key = 0
		}
	}
}
