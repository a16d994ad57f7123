package bench

import "bytes"

// A payload is a text of a fixed size, the only argument of what the
// generator publishes and calls with. It is plain ASCII, so that it stands in
// a message as it is, whatever the serialization:
//
//	#wrb p nnnnnnnnnn tttttttttttttttt xxx…
//
// without the spaces: a mark, the phase, a number and a time, both in
// hexadecimal, and filling.
const (
	payloadMark = "#wrb"
	phaseAt     = len(payloadMark)
	numberAt    = phaseAt + 1
	numberLen   = 10
	timeAt      = numberAt + numberLen
	timeLen     = 16
	minPayload  = timeAt + timeLen
)

// The phases of a run. What is not measured is told apart in the payload, so
// that a straggler of the warm-up is never counted.
const (
	phaseWarm     byte = 'w'
	phaseMeasured byte = 'm'
)

var payloadMarkBytes = []byte(payloadMark)

// newPayload returns a payload of size bytes, at least minPayload.
func newPayload(size int) []byte {
	b := bytes.Repeat([]byte("x"), size)
	copy(b, payloadMark)
	stampPayload(b, phaseWarm, 0, 0)
	return b
}

// stampPayload writes phase, number (below 2^40) and time (in nanoseconds,
// not negative) into b.
func stampPayload(b []byte, phase byte, number uint64, time int64) {
	b[phaseAt] = phase
	putHex(b[numberAt:numberAt+numberLen], number)
	putHex(b[timeAt:timeAt+timeLen], uint64(time))
}

// readPayload finds the payload in a message and returns what its head says.
func readPayload(msg []byte) (phase byte, number uint64, time int64, ok bool) {
	at := bytes.Index(msg, payloadMarkBytes)
	if at < 0 || len(msg)-at < minPayload {
		return 0, 0, 0, false
	}
	b := msg[at:]
	number, ok1 := hexNumber(b[numberAt : numberAt+numberLen])
	t, ok2 := hexNumber(b[timeAt : timeAt+timeLen])
	return b[phaseAt], number, int64(t), ok1 && ok2
}

// findPayload returns the payload of size bytes in a message, nil if there is
// none.
func findPayload(msg []byte, size int) []byte {
	at := bytes.Index(msg, payloadMarkBytes)
	if at < 0 || len(msg)-at < size {
		return nil
	}
	return msg[at : at+size]
}

// putHex writes the low digits of v into all of b.
func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[v&15]
		v >>= 4
	}
}

// hexNumber reads b, at most 16 lower-case digits.
func hexNumber(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}
