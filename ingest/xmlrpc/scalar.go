package xmlrpc

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
)

// maxNumberBytes is how long the text of a number may be: enough for the
// smallest double written without an exponent.
const maxNumberBytes = 512

// null reads the rest of <nil/>.
func (d *decoder) null(element string) error {
	at := d.at
	text, err := d.scalar(element)
	if err != nil {
		return err
	}
	if len(text) > 0 {
		return d.fail(at, CodeNotXMLRPC, "expected nothing in <"+element+">")
	}
	d.json = append(d.json, "null"...)
	return nil
}

// integer reads the rest of an integer element that holds numbers of so many
// bits.
func (d *decoder) integer(element string, bits int) error {
	at := d.at
	text, err := d.scalar(element)
	if err != nil {
		return err
	}
	if len(text) <= maxNumberBytes {
		if n, err := strconv.ParseInt(string(text), 10, bits); err == nil {
			d.json = strconv.AppendInt(d.json, n, 10)
			return nil
		}
	}
	return d.fail(at, CodeNotXMLRPC, "expected a whole number of "+strconv.Itoa(bits)+" bits in <"+element+">, found "+quoted(text))
}

func (d *decoder) boolean() error {
	at := d.at
	text, err := d.scalar("boolean")
	if err != nil {
		return err
	}
	switch string(text) {
	case "1":
		d.json = append(d.json, "true"...)
	case "0":
		d.json = append(d.json, "false"...)
	default:
		return d.fail(at, CodeNotXMLRPC, "expected 0 or 1 in <boolean>, found "+quoted(text))
	}
	return nil
}

// double reads the rest of a floating-point element. Its JSON always has a
// fraction or an exponent, so that serializers that tell floats from integers
// keep it a float.
func (d *decoder) double(element string) error {
	at := d.at
	text, err := d.scalar(element)
	if err != nil {
		return err
	}
	f, ok := parseDouble(text)
	if !ok {
		return d.fail(at, CodeNotXMLRPC, "expected a finite decimal number in <"+element+">, found "+quoted(text))
	}
	d.json = appendDouble(d.json, f)
	return nil
}

func parseDouble(text []byte) (float64, bool) {
	if len(text) > maxNumberBytes {
		return 0, false
	}
	for _, c := range text { // no hexadecimal, no underscores, no inf, no nan
		switch {
		case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

func appendDouble(dst []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	for _, c := range dst[start:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// base64 reads the rest of <base64>. Its JSON is a string in canonical base64:
// padded, and without the line breaks that the request may have.
func (d *decoder) base64() error {
	at := d.at
	text, err := d.scalar("base64")
	if err != nil {
		return err
	}
	d.json = append(d.json, '"')
	start := len(d.json)
	for _, c := range text {
		if !isSpace(c) {
			d.json = append(d.json, c)
		}
	}
	if !isBase64(d.json[start:]) {
		return d.fail(at, CodeNotXMLRPC, "expected padded base64 of the standard alphabet in <base64>")
	}
	d.json = append(d.json, '"')
	return nil
}

var strictBase64 = base64.StdEncoding.Strict()

// isBase64 reports whether text is the one base64 encoding of some bytes.
func isBase64(text []byte) bool {
	if len(text)%4 != 0 {
		return false
	}
	var block [3]byte
	for len(text) > 0 {
		n, err := strictBase64.Decode(block[:], text[:4])
		if err != nil || n < 3 && len(text) > 4 {
			return false
		}
		text = text[4:]
	}
	return true
}

// dateTime reads the rest of <dateTime.iso8601>. Its JSON is a string as in
// RFC 3339. A time without a zone, which is all that XML-RPC has, is UTC.
func (d *decoder) dateTime() error {
	at := d.at
	text, err := d.scalar("dateTime.iso8601")
	if err != nil {
		return err
	}
	start := len(d.json)
	json, ok := appendTime(append(d.json, '"'), text)
	if ok {
		var t time.Time
		ok = t.UnmarshalText(json[start+1:]) == nil // is it in the calendar?
	}
	if !ok {
		return d.fail(at, CodeNotXMLRPC,
			"expected a date and time as 20260131T14:00:00 in <dateTime.iso8601>, found "+quoted(text))
	}
	d.json = append(json, '"')
	return nil
}

// appendTime appends a time of ISO 8601, in the basic or the extended format
// and with or without a zone, in the form of RFC 3339. It checks the form, not
// the calendar.
func appendTime(dst, text []byte) ([]byte, bool) {
	ok := true
	digits := func(n int) {
		if ok = ok && len(text) >= n; !ok {
			return
		}
		for _, c := range text[:n] {
			ok = ok && c >= '0' && c <= '9'
		}
		dst = append(dst, text[:n]...)
		text = text[n:]
	}
	// separator writes c, which the text may or, if must is set, has to have.
	separator := func(c byte, must bool) (had bool) {
		if had = len(text) > 0 && text[0] == c; had {
			text = text[1:]
		}
		ok = ok && (had || !must)
		dst = append(dst, c)
		return had
	}
	digits(4)
	extended := separator('-', false)
	digits(2)
	ok = ok && separator('-', extended) == extended
	digits(2)
	separator('T', true)
	digits(2)
	colons := separator(':', extended)
	digits(2)
	ok = ok && separator(':', colons) == colons
	digits(2)
	if len(text) > 1 && text[0] == '.' {
		n := 1
		for n < len(text) && n <= 9 && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		ok = ok && n > 1
		dst = append(dst, text[:n]...)
		text = text[n:]
	}
	switch {
	case len(text) == 0:
		return append(dst, 'Z'), ok
	case text[0] == 'Z':
		return append(dst, 'Z'), ok && len(text) == 1
	case text[0] == '+', text[0] == '-':
		dst = append(dst, text[0])
		text = text[1:]
		digits(2)
		ok = ok && string(dst[len(dst)-2:]) <= "23" // [time.Time] knows a 24th hour here
		if len(text) == 0 {                         // hours alone
			return append(dst, ":00"...), ok
		}
		separator(':', false)
		digits(2)
		return dst, ok && len(text) == 0
	}
	return dst, false
}
