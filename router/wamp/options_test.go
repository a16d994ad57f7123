package wamp_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// samples are values that an option may be given: some of every type, and the
// edges of the ranges. Which of them an option takes is said in kinds; it must
// refuse all others.
var samples = []string{
	`true`, `false`,
	`0`, `1`, `-1`, `9007199254740992`, `9007199254740993`, `18446744073709551615`, `-9223372036854775808`,
	`1.0`, `1.5`, `-0.0`, `1e300`,
	`""`, `"x"`, `"1"`, `"true"`, `"EXACT"`,
	`"exact"`, `"prefix"`, `"wildcard"`,
	`"single"`, `"first"`, `"last"`, `"roundrobin"`, `"random"`, `"load"`,
	`"skip"`, `"kill"`, `"killnowait"`,
	`"all"`, `"partition"`,
	`"cryptobox"`, `"mqtt"`, `"xbr"`, `"x_y"`,
	`[]`, `[1]`, `[9007199254740992]`, `["x"]`, `["x","x"]`,
	`[0]`, `[-1]`, `[1.0]`, `[9007199254740993]`, `[1,"x"]`, `["x",1]`, `[null]`, `[true]`, `[[]]`, `[[1]]`, `[["x"]]`,
	`[{}]`, `[{"session":1,"authid":"a","authrole":"b"}]`, `[{"session":0}]`, `[{"authid":1}]`, `[{"authrole":[]}]`,
	`{}`, `{"a":1}`,
	`{"caller":{}}`, `{"caller":{"features":{"x":true}},"z":1}`, `{"caller":{"features":{}}}`, `{"caller":{"features":{"x":1}}}`,
	`{"caller":{"features":[]}}`, `{"caller":[]}`, `{"caller":null}`, `{"broker":{}}`,
}

// strs are the samples that are strings.
var strs = slices.Collect(func(yield func(string) bool) {
	for _, s := range samples {
		if s[0] == '"' && !yield(s) {
			return
		}
	}
})

// A kind is the samples that an option takes.
var (
	aBool    = []string{`true`, `false`}
	aText    = strs
	aNumber  = []string{`0`, `1`, `9007199254740992`}
	anID     = []string{`1`, `9007199254740992`}
	ids      = []string{`[]`, `[1]`, `[9007199254740992]`}
	texts    = []string{`[]`, `["x"]`, `["x","x"]`}
	aMatch   = []string{`"exact"`, `"prefix"`, `"wildcard"`}
	aPolicy  = []string{`"single"`, `"first"`, `"last"`, `"roundrobin"`, `"random"`, `"load"`}
	aMode    = []string{`"skip"`, `"kill"`, `"killnowait"`}
	toCallee = []string{`"kill"`, `"killnowait"`}
	runMode  = []string{`"all"`, `"partition"`}
	encAlgo  = []string{`"cryptobox"`, `"mqtt"`, `"xbr"`, `"x_y"`}
	hops     = []string{`[]`, `[{}]`, `[{"session":1,"authid":"a","authrole":"b"}]`}
	aRole    = []string{`{"caller":{}}`, `{"caller":{"features":{"x":true}},"z":1}`, `{"caller":{"features":{}}}`}
	aDict    = slices.Collect(func(yield func(string) bool) {
		for _, s := range samples {
			if s[0] == '{' && !yield(s) {
				return
			}
		}
	})
)

func passthruOptions(more map[string][]string) map[string][]string {
	for _, name := range []string{"ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid", "enc_serializer", "enc_key"} {
		more[name] = aText
	}
	more["enc_algo"] = encAlgo
	more["forward_for"] = hops
	return more
}

// optionTests has every message with a dictionary whose entries have types, and
// each of these entries. %s stands for the dictionary.
var optionTests = []struct {
	message, part string
	options       map[string][]string
}{
	{`[1,"r",%s]`, "HELLO.Details", map[string][]string{
		"roles": aRole, "authid": aText, "agent": aText, "authmethods": texts, "authextra": aDict,
	}},
	{`[3,%s,"e.x"]`, "ABORT.Details", map[string][]string{"message": aText}},
	{`[6,%s,"e.x"]`, "GOODBYE.Details", map[string][]string{"message": aText}},
	{`[8,68,1,%s,"e.x"]`, "ERROR.Details", passthruOptions(map[string][]string{})},
	{`[16,1,%s,"t"]`, "PUBLISH.Options", passthruOptions(map[string][]string{
		"acknowledge": aBool, "exclude_me": aBool, "disclose_me": aBool, "retain": aBool,
		"exclude": ids, "exclude_authid": texts, "exclude_authrole": texts,
		"eligible": ids, "eligible_authid": texts, "eligible_authrole": texts,
		"rkey": aText, "transaction_hash": aText,
	})},
	{`[32,1,%s,"t"]`, "SUBSCRIBE.Options", map[string][]string{
		"match": aMatch, "get_retained": aBool, "nkey": aText, "forward_for": hops,
	}},
	{`[36,1,2,%s]`, "EVENT.Details", passthruOptions(map[string][]string{
		"topic": aText, "publisher": anID, "publisher_authid": aText, "publisher_authrole": aText,
		"retained": aBool, "transaction_hash": aText, "x_acknowledged_delivery": aBool,
	})},
	{`[48,1,%s,"p"]`, "CALL.Options", passthruOptions(map[string][]string{
		"timeout": aNumber, "receive_progress": aBool, "progress": aBool, "disclose_me": aBool,
		"runmode": runMode, "rkey": aText, "transaction_hash": aText,
	})},
	{`[49,1,%s]`, "CANCEL.Options", map[string][]string{"mode": aMode, "forward_for": hops}},
	{`[50,1,%s]`, "RESULT.Details", passthruOptions(map[string][]string{"progress": aBool, "transaction_hash": aText})},
	{`[64,1,%s,"p"]`, "REGISTER.Options", map[string][]string{
		"match": aMatch, "invoke": aPolicy, "concurrency": aNumber, "force_reregister": aBool,
		"disclose_caller": aBool, "forward_timeout": aBool, "forward_for": hops,
	}},
	{`[68,1,2,%s]`, "INVOCATION.Details", passthruOptions(map[string][]string{
		"procedure": aText, "caller": anID, "caller_authid": aText, "caller_authrole": aText, "timeout": aNumber,
		"receive_progress": aBool, "progress": aBool, "transaction_hash": aText,
	})},
	{`[69,1,%s]`, "INTERRUPT.Options", map[string][]string{"mode": toCallee, "reason": aText, "forward_for": hops}},
	{`[70,1,%s]`, "YIELD.Options", passthruOptions(map[string][]string{"progress": aBool, "transaction_hash": aText})},
}

// withOption returns the message with the one option, and with what else the
// dictionary must have.
func withOption(message, name, value string) string {
	dict := fmt.Sprintf(`{%q:%s}`, name, value)
	if strings.HasPrefix(message, `[1,`) && name != "roles" {
		dict = fmt.Sprintf(`{"roles":{"caller":{}},%q:%s}`, name, value)
	}
	return fmt.Sprintf(message, dict)
}

// violates reports what is wrong with the error of a message that must be
// refused because of the option; "" is nothing.
func violates(err error, part, name string) string {
	e, ok := errors.AsType[*wamp.Error](err)
	switch {
	case err == nil:
		return "is accepted"
	case !ok || e.URI != wamp.URIProtocolViolation:
		return fmt.Sprintf("fails with %v, want a protocol violation", err)
	case !strings.HasPrefix(e.Text, part+"."+name):
		return fmt.Sprintf("fails with %q, which does not begin with %s.%s", e.Text, part, name)
	}
	return ""
}

// Every option takes what WAMP lets it take, in every serializer, and nothing
// else.
func TestOptions(t *testing.T) {
	var d wamp.Decoder
	for _, tt := range optionTests {
		for name, good := range tt.options {
			for _, value := range samples {
				text := withOption(tt.message, name, value)
				for s := range wamp.Serializer(wamp.NumSerializers) {
					_, err := d.Decode(s, recode(t, s, wamp.JSON, []byte(text)))
					if slices.Contains(good, value) {
						if err != nil {
							t.Errorf("%s: %s is refused: %v", s, text, err)
						}
					} else if wrong := violates(err, tt.part, name); wrong != "" {
						t.Errorf("%s: %s %s", s, text, wrong)
					}
				}
			}
			// Twice is wrong, though both are right.
			twice := withOption(tt.message, name, good[0]+`,"`+name+`":`+good[0])
			for s := range wamp.Serializer(wamp.NumSerializers) {
				_, err := d.Decode(s, recode(t, s, wamp.JSON, []byte(twice)))
				if wrong := violates(err, tt.part, name); wrong != "" || !strings.Contains(err.Error(), "stands twice") {
					t.Errorf("%s: %s %s (%v)", s, twice, wrong, err)
				}
			}
		}
	}
}

// rawSamples are values that JSON does not have. None of them is what any
// option takes; but JavaScript's codecs write integers above 2^32 as doubles.
var rawSamples = []struct {
	s    wamp.Serializer
	what string
	data string
	for_ []string // the options that take it all the same: those of this kind
}{
	{s: wamp.MessagePack, what: "binary", data: "\xc4\x01x"},
	{s: wamp.MessagePack, what: "float32 1", data: "\xca\x3f\x80\x00\x00"},
	{s: wamp.MessagePack, what: "double 1", data: "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"},
	{s: wamp.MessagePack, what: "NaN", data: "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"},
	{s: wamp.MessagePack, what: "infinity", data: "\xca\x7f\x80\x00\x00"},
	{s: wamp.MessagePack, what: "double 2^33", data: "\xcb\x42\x00\x00\x00\x00\x00\x00\x00", for_: aNumber},
	{s: wamp.MessagePack, what: "double 2^53+2", data: "\xcb\x43\x40\x00\x00\x00\x00\x00\x01"},
	{s: wamp.MessagePack, what: "-1 in 64 bits", data: "\xd3\xff\xff\xff\xff\xff\xff\xff\xff"},
	{s: wamp.MessagePack, what: "2^64-1", data: "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
	{s: wamp.MessagePack, what: "timestamp", data: "\xd6\xff\x51\x4b\x67\xb0"},
	{s: wamp.MessagePack, what: "extension", data: "\xd4\x05\x01"},
	{s: wamp.MessagePack, what: "string that is not UTF-8", data: "\xa1\xff"},
	{s: wamp.CBOR, what: "binary", data: "\x41x"},
	{s: wamp.CBOR, what: "half 1", data: "\xf9\x3c\x00"},
	{s: wamp.CBOR, what: "NaN", data: "\xf9\x7e\x00"},
	{s: wamp.CBOR, what: "double NaN", data: "\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00"},
	{s: wamp.CBOR, what: "infinity", data: "\xf9\x7c\x00"},
	{s: wamp.CBOR, what: "double 1", data: "\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00"},
	{s: wamp.CBOR, what: "double 2^33", data: "\xfb\x42\x00\x00\x00\x00\x00\x00\x00", for_: aNumber},
	{s: wamp.CBOR, what: "-2^64", data: "\x3b\xff\xff\xff\xff\xff\xff\xff\xff"},
	{s: wamp.CBOR, what: "bignum 1", data: "\xc2\x41\x01"},
	{s: wamp.CBOR, what: "tagged 1", data: "\xc1\x01"},
	{s: wamp.CBOR, what: "tagged string", data: "\xd8\x20\x61x"},
	{s: wamp.CBOR, what: "tagged true", data: "\xc1\xf5"},
	{s: wamp.CBOR, what: "tagged list", data: "\xc1\x80"},
	{s: wamp.CBOR, what: "simple value", data: "\xf0"},
	{s: wamp.CBOR, what: "string that is not UTF-8", data: "\x61\xff"},
}

// asValues are the dictionaries that are kept as values, and whose entries are
// looked at after that.
var asValues = []string{"HELLO.Details", "ABORT.Details", "GOODBYE.Details"}

func TestOptionsRaw(t *testing.T) {
	const mark = `"@@@@"`
	var d wamp.Decoder
	for _, tt := range optionTests {
		for name, good := range tt.options {
			for _, raw := range rawSamples {
				marked := recode(t, raw.s, wamp.JSON, []byte(withOption(tt.message, name, mark)))
				placeholder := recode(t, raw.s, wamp.JSON, []byte(mark))
				if bytes.Count(marked, placeholder) != 1 {
					t.Fatalf("%q has the mark %q not once", marked, placeholder)
				}
				_, err := d.Decode(raw.s, bytes.Replace(marked, placeholder, []byte(raw.data), 1))
				if raw.for_ != nil && (slices.Equal(good, raw.for_) || slices.Equal(good, anID)) {
					if err != nil {
						t.Errorf("%s: %s.%s: %s is refused: %v", raw.s, tt.part, name, raw.what, err)
					}
					continue
				}
				if slices.Contains(asValues, tt.part) {
					// What stands in a payload may be in these: tags are read
					// over, and timestamps are strings.
					if errors.Is(err, wamp.ErrProtocolViolation) || strings.HasPrefix(raw.what, "tagged") || raw.what == "timestamp" {
						continue
					}
				}
				if wrong := violates(err, tt.part, name); wrong != "" {
					t.Errorf("%s: %s.%s: %s %s", raw.s, tt.part, name, raw.what, wrong)
				}
			}
		}
	}
}

// The tables above have every option that the decoder knows.
func TestOptionsComplete(t *testing.T) {
	known := map[string]bool{"session": true, "authrole": true} // within forward_for
	for _, tt := range optionTests {
		for name := range tt.options {
			known[name] = true
		}
	}
	known["subscription"], known["registration"] = true, true // of revocations, which only routers send
	cases := regexp.MustCompile(`case "([a-z_]+)":`)
	found := 0
	for _, file := range []string{"append.go", "fields.go", "pubsub.go", "rpc.go", "session.go", "decoder.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range cases.FindAllSubmatch(src, -1) {
			if found++; !known[string(m[1])] {
				t.Errorf("%s: option %q is in no row of optionTests", file, m[1])
			}
		}
	}
	if found < 60 {
		t.Errorf("found %d options in the sources, want at least 60", found)
	}
}
