package ingest

import "bytes"

// Depth returns how deep the arrays and objects of a valid JSON text are
// nested: 0 for a string, 1 for {}, 2 for {"a":[]}. The text must be valid;
// no memory is used.
func Depth(json []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(json); i++ {
		switch json[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			i = endOfString(json, i)
		}
	}
	return deepest
}

// endOfString returns the index of the quote that ends the string which begins
// at i.
func endOfString(json []byte, i int) int {
	for i++; i < len(json); i++ {
		n := bytes.IndexByte(json[i:], '"')
		if n < 0 {
			return len(json)
		}
		// Quotes after an odd number of backslashes are part of the string.
		slashes := 0
		for slashes < n && json[i+n-1-slashes] == '\\' {
			slashes++
		}
		i += n
		if slashes%2 == 0 {
			return i
		}
	}
	return i
}
