package xmlrpc_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/ingest/xmlrpc"
)

const maxDepth = 64

// callOf returns a call of the method m with one parameter.
func callOf(value string) string {
	return "<methodCall><methodName>m</methodName><params><param>" + value + "</param></params></methodCall>"
}

func TestDecodeValues(t *testing.T) {
	tests := []struct {
		value, typ, json string
	}{
		{`<value>plain</value>`, "string", `"plain"`},
		{`<value/>`, "string", `""`},
		{`<value></value>`, "string", `""`},
		{`<value>  kept  </value>`, "string", `"  kept  "`},
		{`<value><string/></value>`, "string", `""`},
		{"<value>\n<string> a\tb\\\"c </string>\n</value>", "string", `" a\tb\\\"c "`},
		{`<value><string>&lt;&gt;&amp;&quot;&apos;&#65;&#x20AC;&#x1F600;</string></value>`, "string", `"<>&\"'A€😀"`},
		{`<value><string>&#10;&#13;&#9;&#0000000000000000000065;</string></value>`, "string", `"\n\r\tA"`},
		{"<value><string>a\r\nb\rc\n</string></value>", "string", `"a\nb\nc\n"`},
		{`<value><string>a<![CDATA[<&]]>b<!-- no -->c<?no no?>d</string></value>`, "string", `"a<&bcd"`},
		{`<value>a<!-- no -->b</value>`, "string", `"ab"`},
		{`<value><![CDATA[]]></value>`, "string", `""`},
		{`<value>ünï ]] ></value>`, "string", `"ünï ]] >"`},
		{`<value><int>42</int></value>`, "int", `42`},
		{`<value><i4> -007 </i4></value>`, "int", `-7`},
		{`<value><i4>+2147483647</i4></value>`, "int", `2147483647`},
		{`<value><int>-2147483648</int></value>`, "int", `-2147483648`},
		{`<value><i8>9223372036854775807</i8></value>`, "int", `9223372036854775807`},
		{`<value><ex:i8>-9223372036854775808</ex:i8></value>`, "int", `-9223372036854775808`},
		{`<value><ex:i1>-128</ex:i1></value>`, "int", `-128`},
		{`<value><i2>32767</i2></value>`, "int", `32767`},
		{`<value><int>4<!-- -->2</int></value>`, "int", `42`},
		{`<value><int>&#52;<![CDATA[2]]></int></value>`, "int", `42`},
		{`<value><boolean>1</boolean></value>`, "boolean", `true`},
		{`<value><boolean>0</boolean></value>`, "boolean", `false`},
		{`<value><double>-1.5</double></value>`, "double", `-1.5`},
		{`<value><double>3</double></value>`, "double", `3.0`},
		{`<value><double>+.5</double></value>`, "double", `0.5`},
		{`<value><double>-0</double></value>`, "double", `-0.0`},
		{`<value><double>1e21</double></value>`, "double", `1e+21`},
		{`<value><double>5e-324</double></value>`, "double", `5e-324`},
		{`<value><ex:float>0.25</ex:float></value>`, "double", `0.25`},
		{`<value><dateTime.iso8601>20260131T14:05:06</dateTime.iso8601></value>`, "dateTime.iso8601", `"2026-01-31T14:05:06Z"`},
		{`<value><dateTime.iso8601>20260131T140506</dateTime.iso8601></value>`, "dateTime.iso8601", `"2026-01-31T14:05:06Z"`},
		{`<value><dateTime.iso8601>2026-01-31T14:05:06</dateTime.iso8601></value>`, "dateTime.iso8601", `"2026-01-31T14:05:06Z"`},
		{`<value><dateTime.iso8601>2026-01-31T14:05:06.250Z</dateTime.iso8601></value>`, "dateTime.iso8601", `"2026-01-31T14:05:06.250Z"`},
		{`<value><dateTime.iso8601>20260131T14:05:06+0530</dateTime.iso8601></value>`, "dateTime.iso8601", `"2026-01-31T14:05:06+05:30"`},
		{`<value><dateTime.iso8601>20240229T14:05:06.123456789-08</dateTime.iso8601></value>`, "dateTime.iso8601", `"2024-02-29T14:05:06.123456789-08:00"`},
		{`<value><base64>eW91IGNhbid0IHJlYWQ=</base64></value>`, "base64", `"eW91IGNhbid0IHJlYWQ="`},
		{"<value><base64>\neW91IGNh\nbid0IHJl\nYWQ=\n</base64></value>", "base64", `"eW91IGNhbid0IHJlYWQ="`},
		{`<value><base64/></value>`, "base64", `""`},
		{`<value><nil/></value>`, "nil", `null`},
		{`<value><ex:nil></ex:nil></value>`, "nil", `null`},
		{`<value><array><data/></array></value>`, "array", `[]`},
		{`<value><array> <data> <value>a</value> <value><int>1</int></value> </data> </array></value>`, "array", `["a",1]`},
		{`<value><array><data><value><array><data></data></array></value></data></array></value>`, "array", `[[]]`},
		{`<value><struct/></value>`, "struct", `{}`},
		{`<value><struct><member><name>a&amp;"</name><value/></member></struct></value>`, "struct", `{"a&\"":""}`},
		{
			`<value><struct><member><name>a</name><value><struct><member><name>a</name><value><nil/></value></member></struct></value></member>` +
				`<member><name> a</name><value><array><data/></array></value></member></struct></value>`,
			"struct", `{"a":{"a":null}," a":[]}`,
		},
		{`<value xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions' b="&lt;"><ex:nil/></value>`, "nil", `null`},
	}
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			method, types, json, _, err := xmlrpc.Decode([]byte(callOf(tt.value)), "", maxDepth)
			got := fmt.Sprint(method, types, json, err)
			if want := fmt.Sprint("m", []string{tt.typ}, []string{tt.json}, nil); got != want {
				t.Errorf("decoded %s, want %s", got, want)
			}
		})
	}
}

func TestDecodeDocuments(t *testing.T) {
	const call = "<methodCall><methodName>a.b</methodName><params><param><value>ä</value></param></params></methodCall>"
	latin := strings.ReplaceAll(call, "ä", "\xE4")
	ascii := strings.ReplaceAll(call, "ä", "&#228;")
	tests := []struct {
		name, charset, doc string
	}{
		{"bare", "", call},
		{"declaration", "", `<?xml version="1.0"?>` + call},
		{"single quotes and standalone", "", "<?xml\nversion = '1.0' encoding='utf-8' standalone='yes' ?>\n" + call + "\n"},
		{"byte order mark", "", "\xEF\xBB\xBF" + `<?xml version="1.0" encoding="UTF-8"?>` + call},
		{"comments and instructions around", "", "<!-- <!DOCTYPE a> --><?a?>\n" + call + "<?b c?><!-- > -->"},
		{"ISO-8859-1 declared", "", `<?xml version="1.0" encoding="ISO-8859-1"?>` + latin},
		{"ISO-8859-1 in the header", "Latin1", latin},
		{"the header counts", "utf-8", `<?xml version="1.0" encoding="ISO-8859-1"?>` + call},
		{"US-ASCII", "us-ascii", ascii},
		{"white space in the method name", "", strings.ReplaceAll(call, "a.b", "\n a.b ")},
		{"white space in tags", "", strings.NewReplacer("<value>", "<value\n>", "</value>", "</value \t>").Replace(call)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, _, json, _, err := xmlrpc.Decode([]byte(tt.doc), tt.charset, maxDepth)
			if err != nil || method != "a.b" || len(json) != 1 || json[0] != `"ä"` {
				t.Errorf("decoded %q %q, %v, want a.b with ä", method, json, err)
			}
		})
	}
}

// A call without parameters may leave out <params>.
func TestDecodeWithoutParams(t *testing.T) {
	for _, params := range []string{"", "<params/>", "<params> </params>"} {
		method, types, _, _, err := xmlrpc.Decode([]byte("<methodCall> <methodName>m</methodName>"+params+"</methodCall>"), "", maxDepth)
		if method != "m" || len(types) != 0 || err != nil {
			t.Errorf("with %q: decoded %q %v, %v, want m without parameters", params, method, types, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	const (
		notXML = xmlrpc.CodeNotWellFormed
		notRPC = xmlrpc.CodeNotXMLRPC
		char   = xmlrpc.CodeCharacter
		coding = xmlrpc.CodeEncoding
	)
	doc := func(s string) string { return "<methodCall><methodName>m</methodName>" + s + "</methodCall>" }
	value := func(s string) string { return callOf("<value>" + s + "</value>") }
	laughs := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>` + value("&b;")
	tests := []struct {
		name, doc string
		code      int
		want      string // part of the text
	}{
		{"nothing", "", notXML, "line 1, column 1: the document ends"},
		{"text", "hello", notRPC, "expected <methodCall>, found text"},
		{"JSON", `{"a":1}`, notRPC, "expected <methodCall>, found text"},
		{"HTML", "<html></html>", notRPC, "found <html>"},
		{"a response", "<methodResponse/>", notRPC, "found <methodResponse>"},
		{"no method", "<methodCall/>", notRPC, "expected <methodName>, found </methodCall>"},
		{"empty method", "<methodCall><methodName> </methodName></methodCall>", notRPC, "1 to 255 bytes"},
		{"long method", "<methodCall><methodName>" + strings.Repeat("m", 256) + "</methodName></methodCall>", notRPC, "1 to 255 bytes"},
		{"two params", doc("<params/><params/>"), notRPC, "expected </methodCall>, found <params>"},
		{"param without value", doc("<params><param/></params>"), notRPC, "expected <value>, found </param>"},
		{"param with two values", doc("<params><param><value/><value/></param></params>"), notRPC, "expected </param>"},
		{"two documents", doc("") + doc(""), notXML, "expected nothing after </methodCall>"},
		{"text after", doc("") + "x", notXML, "expected nothing after </methodCall>"},
		{"cut in a tag", "<methodCall><methodName", notXML, "the tag does not end"},
		{"cut in an end tag", "<methodCall><methodName>m</methodName", notXML, "expected >"},
		{"cut in text", "<methodCall><methodName>m", notXML, "the document ends"},
		{"cut in a comment", "<!-- ", notXML, "the comment does not end"},
		{"cut in CDATA", "<methodCall><methodName><![CDATA[", notXML, "does not end"},
		{"cut in an instruction", "<?a ", notXML, "does not end"},
		{"wrong end tag", "<methodCall><methodName>m</methodname></methodCall>", notXML, "expected </methodName>, found </methodname>"},
		{"element in a scalar", value("<int><b/></int>"), notRPC, "expected text or </int>, found <b>"},
		{"element in a string", value("<string>a<b/></string>"), notRPC, "expected text or </string>, found <b>"},
		{"text beside an element", value("a<int>1</int>"), notRPC, "found both"},
		{"CDATA beside an element", value("<![CDATA[ ]]><int>1</int>"), notRPC, "found both"},
		{"text after an element", value("<int>1</int>a"), notRPC, "expected </value>, found text"},
		{"two elements", value("<int>1</int><int>1</int>"), notRPC, "expected </value>, found <int>"},
		{"unknown type", value("<bigint>1</bigint>"), notRPC, `the type "bigint" is not supported`},
		{"unknown extension", value("<ex:int>1</ex:int>"), notRPC, `the type "ex:int" is not supported`},
		{"int of 33 bits", value("<int>2147483648</int>"), notRPC, `32 bits in <int>, found "2147483648"`},
		{"i8 of 65 bits", value("<i8>9223372036854775808</i8>"), notRPC, "64 bits"},
		{"huge int", value("<i8>" + strings.Repeat("9", 1<<20) + "</i8>"), notRPC, "64 bits"},
		{"empty int", value("<int/>"), notRPC, `found ""`},
		{"hexadecimal int", value("<int>0x10</int>"), notRPC, `found "0x10"`},
		{"int with underscore", value("<int>1_0</int>"), notRPC, `found "1_0"`},
		{"int with a space", value("<int>1 0</int>"), notRPC, `found "1 0"`},
		{"boolean word", value("<boolean>true</boolean>"), notRPC, `expected 0 or 1 in <boolean>, found "true"`},
		{"NaN", value("<double>nan</double>"), notRPC, "finite"},
		{"infinity", value("<double>-inf</double>"), notRPC, "finite"},
		{"beyond a double", value("<double>1e999</double>"), notRPC, "finite"},
		{"hexadecimal double", value("<double>0x1p4</double>"), notRPC, "finite"},
		{"empty double", value("<double/>"), notRPC, "finite"},
		{"long double", value("<double>" + strings.Repeat("1", 600) + "</double>"), notRPC, "finite"},
		{"date only", value("<dateTime.iso8601>20260131</dateTime.iso8601>"), notRPC, `found "20260131"`},
		{"no such day", value("<dateTime.iso8601>20260230T00:00:00</dateTime.iso8601>"), notRPC, "expected a date"},
		{"hour 24", value("<dateTime.iso8601>20260131T24:00:00</dateTime.iso8601>"), notRPC, "expected a date"},
		{"half extended date", value("<dateTime.iso8601>2026-0131T14:05:06</dateTime.iso8601>"), notRPC, "expected a date"},
		{"half extended time", value("<dateTime.iso8601>20260131T14:0506</dateTime.iso8601>"), notRPC, "expected a date"},
		{"extended date, basic time", value("<dateTime.iso8601>2026-01-31T140506</dateTime.iso8601>"), notRPC, "expected a date"},
		{"empty fraction", value("<dateTime.iso8601>20260131T14:05:06.</dateTime.iso8601>"), notRPC, "expected a date"},
		{"fraction of ten digits", value("<dateTime.iso8601>20260131T14:05:06.0123456789</dateTime.iso8601>"), notRPC, "expected a date"},
		{"zone of a day", value("<dateTime.iso8601>20260131T14:05:06+24:00</dateTime.iso8601>"), notRPC, "expected a date"},
		{"text after the zone", value("<dateTime.iso8601>20260131T14:05:06Zx</dateTime.iso8601>"), notRPC, "expected a date"},
		{"base64 without padding", value("<base64>YQ</base64>"), notRPC, "padded base64"},
		{"base64 for URLs", value("<base64>-_-_</base64>"), notRPC, "padded base64"},
		{"base64 padded in the middle", value("<base64>YQ==YQ==</base64>"), notRPC, "padded base64"},
		{"base64 with loose bits", value("<base64>YR==</base64>"), notRPC, "padded base64"},
		{"nil with text", value("<nil>0</nil>"), notRPC, "expected nothing in <nil>"},
		{"array without data", value("<array/>"), notRPC, "expected <data>, found </array>"},
		{"array with two data", value("<array><data/><data/></array>"), notRPC, "expected </array>"},
		{"text in data", value("<array><data>a</data></array>"), notRPC, "expected <value> or </data>, found text"},
		{"member without name", value("<struct><member><value/></member></struct>"), notRPC, "expected <name>"},
		{"member without value", value("<struct><member><name>a</name></member></struct>"), notRPC, "expected <value>"},
		{
			"duplicate member", value("<struct>" + strings.Repeat("<member><name>a&#98;</name><value/></member>", 2) + "</struct>"),
			notRPC, `the struct has two members named "ab"`,
		},
		{"document type", laughs, notRPC, "line 1, column 22: a document type declaration is refused"},
		{"undefined entity", value("&nbsp;"), notXML, "the entity &nbsp; is not defined"},
		{"bare ampersand", value("a & b"), notXML, "&amp;"},
		{"ampersand at the end", value("&"), notXML, "&amp;"},
		{"reference to nothing", value("&#0;"), notXML, "names no character"},
		{"reference to a surrogate", value("&#xD800;"), notXML, "names no character"},
		{"reference beyond Unicode", value("&#x110000;"), notXML, "names no character"},
		{"huge reference", value("&#99999999999999999999;"), notXML, "names no character"},
		{"reference without digits", value("&#;"), notXML, "names no character"},
		{"reference with a sign", value("&#+65;"), notXML, "names no character"},
		{"end of CDATA in text", value("a]]>b"), notXML, `"]]>" in text`},
		{"bare less-than", value("a < b"), notXML, "&lt;"},
		{"two hyphens in a comment", "<!-- a -- b -->" + doc(""), notXML, `"--" inside a comment`},
		{"declaration in the middle", doc("<?xml version='1.0'?>"), notXML, "XML declaration"},
		{"declaration after a space", " <?xml version='1.0'?>" + doc(""), notXML, "XML declaration"},
		{"declaration without version", "<?xml encoding='utf-8'?>" + doc(""), notXML, "expected version"},
		{"XML 1.1", "<?xml version='1.1'?>" + doc(""), notXML, `found version "1.1"`},
		{"attribute without quotes", doc("<params a=b/>"), notXML, "in quotes"},
		{"attribute twice", doc("<params a='' a=''/>"), notXML, `the attribute "a" occurs twice`},
		{"attribute with a tag", doc("<params a='<'/>"), notXML, `"<" in the value`},
		{"attribute with an entity", doc("<params a='&x;'/>"), notXML, "not defined"},
		{"attributes without space", doc("<params a=''b=''/>"), notXML, "white space"},
		{"many attributes", doc("<params a='' b='' c='' d='' e='' f='' g='' h='' i=''/>"), notRPC, "more than 8 attributes"},
		{"control character", value("a\x01"), char, "line 1, column 62: the control character 0x01"},
		{"NUL", value("a\x00"), char, "0x00"},
		{"U+FFFF", value("a\uFFFF"), char, "U+FFFF"},
		{"invalid UTF-8", value("a\xFF"), char, "invalid UTF-8"},
		{"overlong UTF-8", value("\xC0\xAF"), char, "invalid UTF-8"},
		{"encoded surrogate", value("\xED\xA0\x80"), char, "invalid UTF-8"},
		{"ISO-8859-1 not declared", value("\xE4"), char, "invalid UTF-8"},
		{"C1 in US-ASCII", "<?xml version='1.0' encoding='us-ascii'?>" + value("ä"), char, "not US-ASCII"},
		{"UTF-16", "\xFF\xFE<\x00", coding, "UTF-16"},
		{"UTF-16 without mark", "\x00<\x00m", coding, "UTF-16"},
		{"unknown encoding", "<?xml version='1.0' encoding='Shift_JIS'?>" + doc(""), coding, `"Shift_JIS" is not supported`},
		{"contradiction", "\xEF\xBB\xBF<?xml version='1.0' encoding='latin1'?>" + doc(""), coding, "byte order mark"},
		{"deep", callOf(strings.Repeat("<value><array><data>", maxDepth+3)), notRPC, "nested more than 64 deep"},
		{"very deep", callOf(strings.Repeat("<value><array><data>", 1_000_000)), notRPC, "nested more than 64 deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, _, code, err := xmlrpc.Decode([]byte(tt.doc), "", maxDepth)
			if err == nil || code != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("decoded with %v, want code %d and %q", err, tt.code, tt.want)
			}
		})
	}
}

// Many members cost what sorting them costs, and a duplicate among them is found.
func TestDecodeManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString("<value><struct>")
	for i := range 20_000 {
		fmt.Fprintf(&b, "<member><name>%d</name><value/></member>", i*7919%20_000)
	}
	if _, _, _, _, err := xmlrpc.Decode([]byte(callOf(b.String()+"</struct></value>")), "", maxDepth); err != nil {
		t.Errorf("20000 members: %v", err)
	}
	b.WriteString("<member><name>12345</name><value/></member></struct></value>")
	if _, _, _, _, err := xmlrpc.Decode([]byte(callOf(b.String())), "", maxDepth); err == nil || !strings.Contains(err.Error(), `"12345"`) {
		t.Errorf("20001 members with a duplicate: %v, want an error that names it", err)
	}
}

// The worst that fits in a request costs memory in proportion to it.
func TestDecodeMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	member := "<member><name/><value/></member>"
	tests := []struct{ name, doc string }{
		{"values", callOf("<value><array><data>" + fill("<value/>") + "</data></array></value>")},
		{"parameters", "<methodCall><methodName>m</methodName><params>" + fill("<param><value/></param>") + "</params></methodCall>"},
		{"members", callOf("<value><struct>" + fill(member) + "</struct></value>")},
		{"escapes", callOf("<value>" + fill("\t") + "</value>")},
		{"references", callOf("<value>" + fill("&#9;") + "</value>")},
		{"ISO-8859-1", "<?xml version='1.0' encoding='latin1'?>" + callOf("<value>"+fill("\xE4")+"</value>")},
		{"pieces of a number", callOf("<value><int>" + fill("1<!---->") + "</int></value>")},
		{"comments", fill("<!---->") + callOf("<value/>")},
		{"depth", callOf(fill("<value><array><data>"))},
		{"start tags", fill("<methodCall>")},
		{"attributes", "<methodCall " + fill("a='' ") + ">"},
		{"document type", "<!DOCTYPE a [" + fill("<!ENTITY a '&a;&a;'>") + "]>" + callOf("<value>&a;</value>")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := []byte(tt.doc)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = xmlrpc.Decoding(doc, maxDepth)()
			runtime.ReadMemStats(&after)
			// Slices that grow by a quarter leave five times their size behind.
			if got := after.TotalAlloc - before.TotalAlloc; got > 24*size {
				t.Errorf("decoding %d bytes allocates %d in all, want at most 24 times as much", len(doc), got)
			}
		})
	}
}
