package storekit

// AppendMember appends what stands for an owner's persistent subscription in
// keys and indexes. A 0 in the owner becomes 0, 255, so that two of them end it
// and members sort as owners do, and then as names. With an empty name it is
// what all of an owner's begin with.
func AppendMember(b []byte, owner, name string) []byte {
	for i := range len(owner) {
		b = append(b, owner[i])
		if owner[i] == 0 {
			b = append(b, 255)
		}
	}
	b = append(b, 0, 0)
	return append(b, name...)
}

// ParseMember takes the owner and the name out of a member, and reports whether
// it is one that AppendMember gives.
func ParseMember[M ~string | ~[]byte](m M) (owner, name string, ok bool) {
	text := make([]byte, 0, len(m))
	for i := 0; i+1 < len(m); i++ {
		switch {
		case m[i] != 0:
			text = append(text, m[i])
		case m[i+1] == 255:
			text = append(text, 0)
			i++
		case m[i+1] == 0:
			return string(text), string(m[i+2:]), true
		default:
			return "", "", false
		}
	}
	return "", "", false
}
