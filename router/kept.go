package router

// Kept are the messages of a session that were taken to be written and are not
// known to have arrived, as they were queued. They are numbered through the
// session's life, from 1.
type kept struct {
	messages []keptMessage
	bytes    int
	base     uint64 // number of the last message that is kept no more
	sure     uint64 // number of the last one that is known to have arrived
	next     int    // messages before this one were taken for the seat as it is now
}

type keptMessage struct {
	frame  []byte
	missed uint64 // events of its subscription before it
}

// last returns the number of the last message that was ever taken.
func (k *kept) last() uint64 { return k.base + uint64(len(k.messages)) }

// taken returns the number of the last message that the present connection was
// given.
func (k *kept) taken() uint64 { return k.base + uint64(k.next) }

// add keeps a message that is being taken, and gives up old ones if that is
// too much. It returns how many.
func (k *kept) add(m keptMessage, room int) (givenUp int) {
	k.messages = append(k.messages, m)
	k.bytes += len(m.frame)
	k.next++
	for left := k.bytes; left > room && givenUp < k.next; givenUp++ {
		left -= len(k.messages[givenUp].frame)
	}
	k.drop(givenUp)
	return givenUp
}

// confirm forgets the messages up to that number, if there are so many. It
// reports false if there are not, or if the one that follows is kept no more.
func (k *kept) confirm(number uint64) bool {
	if number > k.last() {
		return false
	}
	k.sure = max(k.sure, number)
	if number < k.base {
		return false
	}
	k.drop(int(number - k.base))
	return true
}

func (k *kept) drop(n int) {
	if n == 0 {
		return
	}
	for i := range k.messages[:n] {
		k.bytes -= len(k.messages[i].frame)
	}
	clear(k.messages[:n])
	k.messages = k.messages[n:]
	k.base += uint64(n)
	k.next = max(k.next-n, 0)
	if len(k.messages) == 0 {
		k.messages = nil
	}
}

// whole reports whether everything is kept that is not known to have arrived.
func (k *kept) whole() bool { return k.base <= k.sure }
