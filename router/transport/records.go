package transport

const (
	recordHeader = 5 // bytes: type, version, length (RFC 8446, 5.1)

	// maxRecord is how long the longest record of TLS 1.2 is after its
	// header; those of TLS 1.3 are shorter.
	maxRecord = 16<<10 + 2048
)

// A recordMeter knows where in a stream of TLS records it is. The zero value
// is at the beginning of a record.
type recordMeter struct {
	header [recordHeader]byte
	have   int // bytes of header; less than recordHeader
	left   int // bytes of the record that follow its whole header; 0 if have is not
}

// pass counts b as passed on.
func (m *recordMeter) pass(b []byte) {
	for len(b) > 0 {
		if m.left > 0 {
			n := min(m.left, len(b))
			m.left -= n
			b = b[n:]
			continue
		}
		n := copy(m.header[m.have:], b)
		m.have += n
		b = b[n:]
		if m.have == recordHeader {
			m.have, m.left = 0, m.length()
		}
	}
}

// rest returns how many bytes at the start of b, which comes next, end the
// record, or 0 if they are not all there; need is then how many must be. Of a
// record that is too long it returns what there is, because its header is all
// that TLS will look at.
func (m *recordMeter) rest(b []byte) (size, need int) {
	need = m.left
	if need == 0 {
		next := *m
		next.have += copy(next.header[next.have:], b)
		need = recordHeader - m.have
		if next.have < recordHeader {
			return 0, need
		}
		if next.length() > maxRecord {
			return len(b), 0
		}
		need += next.length()
	}
	if len(b) < need {
		return 0, need
	}
	return need, 0
}

// inside reports whether a part of a record was passed on.
func (m *recordMeter) inside() bool { return m.have > 0 || m.left > 0 }

// length returns what the header announces.
func (m *recordMeter) length() int {
	return int(m.header[recordHeader-2])<<8 | int(m.header[recordHeader-1])
}
