package xmlrpc

import "bytes"

// open reads the start tag of the element, after white space.
func (d *decoder) open(name string) error {
	tok, err := d.skip()
	switch {
	case err != nil:
		return err
	case tok == tokenStart && string(d.text) == name:
		return nil
	case tok == tokenEOF:
		return d.unfinished(name)
	}
	return d.unexpected(tok, "<"+name+">")
}

// child reads either the start tag of a child element or the end tag of its
// parent, after white space, and reports whether it was the child.
func (d *decoder) child(parent, child string) (bool, error) {
	tok, err := d.skip()
	switch {
	case err != nil:
		return false, err
	case tok == tokenStart && string(d.text) == child:
		return true, nil
	case tok == tokenEnd:
		return false, d.matches(parent)
	case tok == tokenEOF:
		return false, d.unfinished(parent)
	}
	return false, d.unexpected(tok, "<"+child+"> or </"+parent+">")
}

// close reads the end tag of the element, after white space.
func (d *decoder) close(name string) error {
	tok, err := d.skip()
	switch {
	case err != nil:
		return err
	case tok == tokenEnd:
		return d.matches(name)
	case tok == tokenEOF:
		return d.unfinished(name)
	}
	return d.unexpected(tok, "</"+name+">")
}

// skip returns the next token that is not white space.
func (d *decoder) skip() (token, error) {
	for {
		tok, err := d.next()
		if err != nil || tok != tokenText || !isBlank(d.text) {
			return tok, err
		}
	}
}

// matches makes sure that the end tag just read is that of the element.
func (d *decoder) matches(name string) error {
	if string(d.text) == name {
		return nil
	}
	return d.fail(d.at, CodeNotWellFormed, "expected </"+name+">, found </"+clip(d.text)+">")
}

func (d *decoder) unfinished(name string) error {
	return d.fail(d.at, CodeNotWellFormed, "the document ends where <"+name+"> should begin or end")
}

func (d *decoder) unexpected(tok token, want string) error {
	found := "text"
	switch tok {
	case tokenStart:
		found = "<" + clip(d.text) + ">"
	case tokenEnd:
		found = "</" + clip(d.text) + ">"
	}
	return d.fail(d.at, CodeNotXMLRPC, "expected "+want+", found "+found)
}

// scalar reads the text of an element that has nothing but text, with its end
// tag, and returns it without the white space around it. It is valid until the
// next scalar.
func (d *decoder) scalar(element string) ([]byte, error) {
	d.scratch = d.scratch[:0]
	var text []byte
	for pieces := 0; ; {
		tok, err := d.next()
		if err != nil {
			return nil, err
		}
		switch tok {
		case tokenText, tokenCDATA:
			// Nearly always there is one piece with nothing to resolve.
			if pieces++; pieces == 1 && bytes.IndexByte(d.text, '&') < 0 {
				text = d.text
				continue
			}
			if len(d.scratch) == 0 {
				d.scratch = append(d.scratch, text...)
			}
			if d.scratch, err = d.appendText(d.scratch, tok, false); err != nil {
				return nil, err
			}
			text = d.scratch
		case tokenEnd:
			return trimSpace(text), d.matches(element)
		case tokenStart:
			return nil, d.unexpected(tok, "text or </"+element+">")
		default:
			return nil, d.unfinished(element)
		}
	}
}

// characters reads the text of an element that has nothing but text, with its
// end tag, and appends it as a JSON string.
func (d *decoder) characters(element string) error {
	d.json = append(d.json, '"')
	for {
		tok, err := d.next()
		if err != nil {
			return err
		}
		switch tok {
		case tokenText, tokenCDATA:
			if d.json, err = d.appendText(d.json, tok, true); err != nil {
				return err
			}
		case tokenEnd:
			d.json = append(d.json, '"')
			return d.matches(element)
		case tokenStart:
			return d.unexpected(tok, "text or </"+element+">")
		default:
			return d.unfinished(element)
		}
	}
}

func trimSpace(text []byte) []byte {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

func clip(name []byte) string { q := quoted(name); return q[1 : len(q)-1] }
