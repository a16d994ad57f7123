package wamp

import "unicode/utf8"

// skip reads one value of any kind, and checks it.
func (c *scanner) skip() {
	if c.err == nil && c.plain() {
		return
	}
	if c.next() {
		c.skipRest()
	}
}

// skipRest reads what belongs to the token that was just read.
func (c *scanner) skipRest() {
	switch c.tok.kind {
	case kindList:
		for q := c.entered(); c.more(&q); {
			c.skip()
		}
	case kindDict:
		for q := c.entered(); c.more(&q); {
			if !c.plainKey() && !c.keyToken() {
				return
			}
			c.skip()
		}
	}
}

// plain skips the value that comes next if it is a scalar of the common kinds,
// and nothing is wrong with it, in less time than it takes to make a token of
// it. Otherwise it reads nothing and reports false, and a token has to be made,
// which says what is wrong. Most of a payload is plain.
func (c *scanner) plain() bool {
	switch c.s {
	case JSON:
		return c.plainJSON()
	case MessagePack:
		return c.plainMessagePack()
	default:
		return c.plainCBOR()
	}
}

// plainKey is plain for a key and, in JSON, the colon after it.
func (c *scanner) plainKey() bool {
	if c.pos >= len(c.data) {
		return false
	}
	switch b := c.data[c.pos]; c.s {
	case JSON:
		if b != '"' || !c.plainStringJSON() {
			return false
		}
		c.colon()
		return c.err == nil
	case MessagePack:
		return b >= 0xa0 && b < 0xc0 && c.plainText(1, int(b&0x1f))
	default:
		return b >= cborString && b < cborString+24 && c.plainText(1, int(b&0x1f))
	}
}

// plainText skips a string of n bytes after a head.
func (c *scanner) plainText(head, n int) bool {
	end := c.pos + head + n
	if end > len(c.data) || !utf8.Valid(c.data[c.pos+head:end]) {
		return false
	}
	c.pos = end
	return true
}

// plainBytes skips n bytes.
func (c *scanner) plainBytes(n int) bool {
	if len(c.data)-c.pos < n {
		return false
	}
	c.pos += n
	return true
}

func (c *scanner) plainJSON() bool {
	c.space()
	if c.pos >= len(c.data) {
		return false
	}
	switch b := c.data[c.pos]; {
	case b == '"':
		return c.plainStringJSON()
	case b >= '1' && b <= '9':
		i := c.pos + 1
		for i < len(c.data) && isDigit(c.data[i]) {
			i++
		}
		if i < len(c.data) && c.data[i] == '.' {
			first := i + 1
			for i = first; i < len(c.data) && isDigit(c.data[i]); i++ {
			}
			if i == first {
				return false
			}
		}
		if i < len(c.data) && c.data[i]|0x20 == 'e' {
			return false
		}
		c.pos = i
		return true
	}
	return false
}

// plainStringJSON skips a string without escape sequences.
func (c *scanner) plainStringJSON() bool {
	start := c.pos + 1
	end, ascii := runJSON(c.data, start)
	if end >= len(c.data) || c.data[end] != '"' || !ascii && !utf8.Valid(c.data[start:end]) {
		return false
	}
	c.pos = end + 1
	return true
}

func (c *scanner) plainMessagePack() bool {
	if c.pos >= len(c.data) {
		return false
	}
	switch code := c.data[c.pos]; {
	case code < 0x80, code >= 0xe0, code == 0xc0, code == 0xc2, code == 0xc3:
		c.pos++
		return true
	case code >= 0xa0 && code < 0xc0:
		return c.plainText(1, int(code&0x1f))
	case code == 0xd9:
		return len(c.data)-c.pos >= 2 && c.plainText(2, int(c.data[c.pos+1]))
	case code == 0xcb:
		return c.plainBytes(9)
	case code >= 0xcc && code <= 0xcf:
		return c.plainBytes(1 + 1<<(code-0xcc))
	}
	return false
}

func (c *scanner) plainCBOR() bool {
	if c.pos >= len(c.data) {
		return false
	}
	switch b := c.data[c.pos]; {
	case b < 24, b >= cborNeg && b < cborNeg+24, b >= cborSimple|20 && b <= cborSimple|23:
		c.pos++
		return true
	case b >= 24 && b < 28:
		return c.plainBytes(1 + 1<<(b-24))
	case b >= cborString && b < cborString+24:
		return c.plainText(1, int(b&0x1f))
	case b == cborString|24:
		return len(c.data)-c.pos >= 2 && c.plainText(2, int(c.data[c.pos+1]))
	case b == cborSimple|27:
		return c.plainBytes(9)
	}
	return false
}
