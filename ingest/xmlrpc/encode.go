package xmlrpc

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	answerHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n<methodResponse>"
	answerTail = "</methodResponse>\n"
	paramsHead = "<params><param>"
	paramsTail = "</param></params>"
	arrayHead  = "<value><array><data>"
	arrayTail  = "</data></array></value>"
)

// appendString appends a string as a <value>.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, "<value><string>"...)
	dst = appendEscaped(dst, s)
	return append(dst, "</string></value>"...)
}

// appendInt appends a whole number as a <value>: as an <int>, or, if it needs
// more than 32 bits, as an <i8>.
func appendInt(dst []byte, n int64) []byte {
	element := "int>"
	if n < math.MinInt32 || n > math.MaxInt32 {
		element = "i8>"
	}
	dst = append(dst, "<value><"...)
	dst = append(dst, element...)
	dst = strconv.AppendInt(dst, n, 10)
	dst = append(dst, "</"...)
	dst = append(dst, element...)
	return append(dst, "</value>"...)
}

// appendFault appends a fault's struct as a <value>.
func appendFault(dst []byte, code int, text string) []byte {
	dst = append(dst, "<value><struct><member><name>faultCode</name>"...)
	dst = appendInt(dst, int64(code))
	dst = append(dst, "</member><member><name>faultString</name>"...)
	dst = appendString(dst, text)
	return append(dst, "</member></struct></value>"...)
}

// appendEscaped appends text as XML character data. What XML cannot carry at
// all, control characters and invalid UTF-8, becomes U+FFFD.
func appendEscaped(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '&':
				dst = append(dst, "&amp;"...)
			case c == '<':
				dst = append(dst, "&lt;"...)
			case c == '>':
				dst = append(dst, "&gt;"...)
			case c == '\r': // as itself it would be read as a line end
				dst = append(dst, "&#13;"...)
			case isXML(rune(c)):
				dst = append(dst, c)
			default:
				dst = append(dst, "\uFFFD"...)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if !isXML(r) {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return dst
}

// appendJSON appends a JSON text as a <value>: numbers without a fraction and
// an exponent that fit in 64 bits as integers, other numbers as doubles.
func appendJSON(dst, json []byte) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(json))
	dst, err := appendNext(dst, dec)
	if err != nil {
		return dst, fmt.Errorf("encode JSON as XML-RPC: %w", err)
	}
	return dst, nil
}

func appendNext(dst []byte, dec *jsontext.Decoder) ([]byte, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return dst, err
	}
	switch tok.Kind() {
	case 'n':
		return append(dst, "<value><nil/></value>"...), nil
	case 't':
		return append(dst, "<value><boolean>1</boolean></value>"...), nil
	case 'f':
		return append(dst, "<value><boolean>0</boolean></value>"...), nil
	case '"':
		return appendString(dst, tok.String()), nil
	case '0':
		return appendNumber(dst, tok.String())
	case '[':
		dst = append(dst, arrayHead...)
		for dec.PeekKind() != ']' {
			if dst, err = appendNext(dst, dec); err != nil {
				return dst, err
			}
		}
		_, err = dec.ReadToken()
		return append(dst, arrayTail...), err
	}
	dst = append(dst, "<value><struct>"...)
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return dst, err
		}
		dst = append(dst, "<member><name>"...)
		dst = appendEscaped(dst, name.String())
		dst = append(dst, "</name>"...)
		if dst, err = appendNext(dst, dec); err != nil {
			return dst, err
		}
		dst = append(dst, "</member>"...)
	}
	_, err = dec.ReadToken()
	return append(dst, "</struct></value>"...), err
}

func appendNumber(dst []byte, number string) ([]byte, error) {
	if !strings.ContainsAny(number, ".eE") {
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			return appendInt(dst, n), nil
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return dst, fmt.Errorf("the number %s is beyond a double", number)
	}
	dst = append(dst, "<value><double>"...)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64) // XML-RPC has no exponents
	return append(dst, "</double></value>"...), nil
}
