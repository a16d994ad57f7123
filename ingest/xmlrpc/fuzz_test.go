package xmlrpc_test

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/xmlrpc"
)

// Bad input gives a fault of the codes for bad input. What is accepted is JSON,
// has the value that an independent decoder finds (encoding/xml and Go values),
// and comes back the same when it is encoded and decoded again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		callOf(`<value><struct><member><name>a&amp;</name><value><i4> 1</i4></value></member><member><name>b</name><value>x&#10;y</value></member></struct></value>`),
		callOf("<value><array><data><value><double>-1.5e3</double></value><value><boolean>1</boolean></value><value><nil/></value></data></array></value>"),
		callOf("<value><dateTime.iso8601>20260131T14:05:06+01</dateTime.iso8601></value>"),
		callOf("<value><base64>YW\nJj</base64></value>"),
		`<?xml version="1.0" encoding="iso-8859-1"?>` + callOf("<value>\xE4<![CDATA[<]]><!-- a --></value>"),
		"\xEF\xBB\xBF" + callOf("<value a='b'>\r\n]]&gt;</value>"),
		"<!DOCTYPE a>", "<methodCall><methodName>&x;", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		method, types, values, code, err := xmlrpc.Decode(doc, "", maxDepth)
		if err != nil {
			if code < xmlrpc.CodeCharacter || code > xmlrpc.CodeNotXMLRPC {
				t.Fatalf("%q fails with the code %d: %v", doc, code, err)
			}
			return
		}
		want, ok := oracle(doc)
		if !ok || want.method != method || len(want.params) != len(values) {
			t.Fatalf("%q: decoded %q with %d parameters, the oracle %v, %+v", doc, method, len(values), ok, want)
		}
		again := []byte("<methodCall><methodName>m</methodName><params>")
		for i, text := range values {
			if got := parseJSON(t, text); !reflect.DeepEqual(got, want.params[i]) {
				t.Fatalf("%q: parameter %d is %s, the oracle finds %#v", doc, i, text, want.params[i])
			}
			again = append(again, "<param>"...)
			if again, err = xmlrpc.AppendJSON(again, []byte(text)); err != nil {
				t.Fatalf("encode %s: %v", text, err)
			}
			again = append(again, "</param>"...)
		}
		again = append(again, "</params></methodCall>"...)
		_, _, values2, _, err := xmlrpc.Decode(again, "", maxDepth)
		if err != nil || !reflect.DeepEqual(values, values2) {
			t.Fatalf("%q is %q, and encoded again %q, %v", doc, values, values2, err)
		}
		size := 0
		for _, text := range values {
			size += len(text)
		}
		if size > 2*len(doc) || len(types) > len(doc)/8 {
			t.Fatalf("%d bytes of XML became %d values with %d bytes of JSON", len(doc), len(types), size)
		}
	})
}

// Whatever comes, the answer is a well-formed methodResponse with either one
// value or a fault of a documented code, and nothing is posted that is not JSON.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		request("event.publish", "demo", "a.b", data, "id"),
		request("event.publish_many", "demo", array(eventStruct("a"), eventStruct("strict"))),
		request("system.multicall", array(callStruct("event.publish", "demo", "strict", data), callStruct("class.list", "demo"))),
		request("system.multicall", array(callStruct("system.multicall", array()), callStruct("&#x7F;&lt;\u0085]]&gt;"))),
		request("session.token", "demo", "joe", array("a"), "<int>5</int>"),
		request("send_event", "a", `{"a":[1]}`), request("system.methodHelp", "class.list"), request("x"), "",
	} {
		f.Add(s)
	}
	codes := map[string]bool{}
	for _, code := range []int{
		xmlrpc.CodeNotWellFormed, xmlrpc.CodeEncoding, xmlrpc.CodeCharacter, xmlrpc.CodeNotXMLRPC, xmlrpc.CodeUnknownMethod,
	} {
		codes[strconv.Itoa(code)] = true
	}
	for _, kind := range ingest.Kinds {
		codes[strconv.Itoa(xmlrpc.Code(kind))] = true
	}
	f.Fuzz(func(t *testing.T, body string) {
		sink := checked()
		w := post(newHandler(sink), body)
		var answer element
		if err := xml.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || answer.XMLName.Local != "methodResponse" || len(answer.Children) != 1 {
			t.Fatalf("%q is answered by %d %q, %v", body, w.Code, w.Body, err)
		}
		only := answer.Children[0]
		if only.XMLName.Local == "params" {
			only = only.Children[0]
		}
		value, err := only.Children[0].value()
		if err != nil {
			t.Fatalf("%q is answered by %q: %v", body, w.Body, err)
		}
		if only.XMLName.Local == "fault" {
			if code := fmt.Sprint(value.(map[string]any)["faultCode"]); !codes[code] {
				t.Fatalf("%q is answered by a fault with the code %s", body, code)
			}
		}
		for _, p := range sink.Events() {
			if !stdjson.Valid(p.Event.Data) || p.Event.Data[0] != '{' {
				t.Fatalf("%q posts %q", body, p.Event.Data)
			}
		}
	})
}

// parseJSON returns text as Go values, with numbers as they are written. It
// fails if text is not valid JSON.
func parseJSON(t *testing.T, text string) any {
	t.Helper()
	dec := stdjson.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil || !stdjson.Valid([]byte(text)) {
		t.Fatalf("%q is not valid JSON: %v", text, err)
	}
	return normal(v)
}

// normal replaces numbers: whole ones by int64, others by float64.
func normal(v any) any {
	switch v := v.(type) {
	case stdjson.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64()
		return math.Float64bits(f) // tells -0 from 0
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = normal(v[name])
		}
	}
	return v
}

type oracleCall struct {
	method string
	params []any
}

// An element is a node of the tree that the oracle reads from.
type element struct {
	XMLName  xml.Name
	Children []element `xml:",any"`
	Text     string    `xml:",chardata"`
}

// oracle decodes a call with encoding/xml, in the most naive way. It may accept
// more than XML-RPC does.
func oracle(doc []byte) (call oracleCall, ok bool) {
	dec := xml.NewDecoder(bytes.NewReader(doc))
	dec.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		all, err := io.ReadAll(r)
		if strings.Contains(strings.ToLower(charset), "latin") || strings.HasPrefix(strings.ToLower(charset), "iso") {
			var wide []rune
			for _, c := range all {
				wide = append(wide, rune(c))
			}
			all = []byte(string(wide))
		}
		return bytes.NewReader(all), err
	}
	var root element
	if err := dec.Decode(&root); err != nil || len(root.Children) == 0 {
		return call, false
	}
	call.method = strings.Trim(root.Children[0].Text, " \r\n\t")
	if len(root.Children) > 1 {
		for _, param := range root.Children[1].Children {
			v, err := param.Children[0].value()
			if err != nil {
				return call, false
			}
			call.params = append(call.params, v)
		}
	}
	return call, true
}

// value returns the value of a <value> element, in the form of parseJSON.
func (e element) value() (any, error) {
	if len(e.Children) == 0 {
		return e.Text, nil
	}
	typed := e.Children[0]
	text := strings.Trim(typed.Text, " \r\n\t")
	switch typed.XMLName.Local {
	case "string":
		return typed.Text, nil
	case "i1", "i2", "i4", "int", "i8":
		return strconv.ParseInt(text, 10, 64)
	case "double", "float":
		f, err := strconv.ParseFloat(text, 64)
		return math.Float64bits(f), err
	case "boolean":
		return text == "1", nil
	case "nil":
		return nil, nil
	case "base64":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		return base64.StdEncoding.EncodeToString(raw), err
	case "dateTime.iso8601":
		return oracleTime(text)
	case "array":
		all := []any{}
		for _, item := range typed.Children[0].Children {
			v, err := item.value()
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return all, nil
	case "struct":
		all := map[string]any{}
		for _, member := range typed.Children {
			v, err := member.Children[1].value()
			if err != nil {
				return nil, err
			}
			all[member.Children[0].Text] = v
		}
		return all, nil
	}
	return nil, errors.New("unknown type")
}

// oracleTime tries every layout, and writes the time as RFC 3339 with the
// fraction as it came.
func oracleTime(text string) (any, error) {
	for _, day := range []string{"20060102T", "2006-01-02T"} {
		for _, clock := range []string{"15:04:05", "150405"} {
			for _, zone := range []string{"", "Z07:00", "Z0700", "Z07"} {
				at, err := time.Parse(day+clock+zone, text)
				if err != nil {
					continue
				}
				fraction := ""
				if i := strings.IndexByte(text, '.'); i >= 0 {
					n := i + 1
					for n < len(text) && text[n] >= '0' && text[n] <= '9' {
						n++
					}
					fraction = text[i:n]
				}
				suffix := at.Format("Z07:00")
				if suffix == "Z" && !strings.HasSuffix(text, "Z") && zone != "" {
					_, offset, _ := strings.Cut(text, "T")
					suffix = offset[strings.IndexAny(offset, "+-"):][:1] + "00:00"
				}
				return at.Format("2006-01-02T15:04:05") + fraction + suffix, nil
			}
		}
	}
	return nil, errors.New("no such time: " + text)
}
