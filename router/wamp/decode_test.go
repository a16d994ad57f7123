package wamp_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

var passthru = wamp.Passthru{
	Scheme: "wamp", Serializer: "cbor", Cipher: "aes256gcm", KeyID: "k1",
	EncAlgo: "cryptobox", EncSerializer: "json", EncKey: "k2",
}

const passthruJSON = `"ppt_scheme":"wamp","ppt_serializer":"cbor","ppt_cipher":"aes256gcm","ppt_keyid":"k1",` +
	`"enc_algo":"cryptobox","enc_serializer":"json","enc_key":"k2"`

// payload returns a payload in JSON; empty strings are absent.
func payload(args, kwargs, opaque string) wamp.Payload {
	p := wamp.Payload{}
	for _, part := range []struct {
		text string
		to   *[]byte
	}{{args, &p.Args}, {kwargs, &p.KwArgs}, {opaque, &p.Opaque}} {
		if part.text != "" {
			*part.to = []byte(part.text)
		}
	}
	return p
}

// messages are one or more messages of each type, with every field that it
// has, as Append writes them in JSON.
var messages = []struct {
	json string
	want wamp.Message
}{
	{
		`[1,"realm1",{"authextra":{"k":[1,2.5]},"authid":"joe","authmethods":["ticket","anonymous"],` +
			`"roles":{"callee":{"features":{"progressive_call_results":true}},"publisher":{"features":{"x":false}},"other":1}}]`,
		&wamp.Hello{
			Realm: "realm1",
			Details: map[string]any{
				"authextra":   map[string]any{"k": []any{int64(1), 2.5}},
				"authid":      "joe",
				"authmethods": []any{"ticket", "anonymous"},
				"roles": map[string]any{
					"callee":    map[string]any{"features": map[string]any{"progressive_call_results": true}},
					"publisher": map[string]any{"features": map[string]any{"x": false}},
					"other":     int64(1),
				},
			},
			Roles:       []string{"publisher", "callee"},
			Features:    map[string]bool{"callee.progressive_call_results": true},
			AuthMethods: []string{"ticket", "anonymous"},
			AuthID:      "joe",
			AuthExtra:   map[string]any{"k": []any{int64(1), 2.5}},
		},
	},
	{
		`[1,"r",{"authextra":null,"authid":null,"authmethods":null,"roles":{"subscriber":{"features":null}}}]`,
		&wamp.Hello{
			Realm: "r",
			Details: map[string]any{
				"authextra": nil, "authid": nil, "authmethods": nil,
				"roles": map[string]any{"subscriber": map[string]any{"features": nil}},
			},
			Roles: []string{"subscriber"},
		},
	},
	{
		`[2,9007199254740992,{"roles":{"broker":{}}}]`,
		&wamp.Welcome{Session: wamp.MaxID, Details: map[string]any{"roles": map[string]any{"broker": map[string]any{}}}},
	},
	{`[3,{"message":"no"},"wamp.error.no_such_realm"]`, &wamp.Abort{Details: map[string]any{"message": "no"}, Reason: "wamp.error.no_such_realm"}},
	{`[3,{},"e",[1],{"a":2}]`, &wamp.Abort{Reason: "e", Payload: payload(`[1]`, `{"a":2}`, ``)}},
	{`[4,"wampcra",{"challenge":"x"}]`, &wamp.Challenge{Method: "wampcra", Extra: map[string]any{"challenge": "x"}}},
	{`[5,"secret",{"a":true}]`, &wamp.Authenticate{Signature: "secret", Extra: map[string]any{"a": true}}},
	{`[6,{"message":"bye"},"wamp.close.normal"]`, &wamp.Goodbye{Details: map[string]any{"message": "bye"}, Reason: "wamp.close.normal"}},
	{
		`[8,48,7,{` + passthruJSON + `,"a":1},"e.x","opaque"]`,
		&wamp.ErrorMessage{
			RequestType: wamp.TypeCall, Request: 7, Details: map[string]any{"a": int64(1)}, Error: "e.x",
			Payload: payload(``, ``, `"opaque"`), Passthru: passthru,
		},
	},
	{`[16,1,{},"t"]`, &wamp.Publish{Request: 1, Topic: "t"}},
	{
		`[16,1,{"acknowledge":true,"exclude_me":false,"disclose_me":true,"retain":true,` +
			`"exclude":[1,9007199254740992],"exclude_authid":["a"],"exclude_authrole":["b"],` +
			`"eligible":[],"eligible_authid":[],"eligible_authrole":["c","d"],"transaction_hash":"h",` + passthruJSON +
			`,"_x":{"y":[null,1.0]}},"t",[1],{"a":"b"}]`,
		&wamp.Publish{
			Request: 1, Topic: "t", Payload: payload(`[1]`, `{"a":"b"}`, ``),
			Options: wamp.PublishOptions{
				Acknowledge: true, KeepMe: true, DiscloseMe: true, Retain: true,
				Exclude: []wamp.ID{1, wamp.MaxID}, ExcludeAuthID: []string{"a"}, ExcludeAuthRole: []string{"b"},
				Eligible: []wamp.ID{}, EligibleAuthID: []string{}, EligibleAuthRole: []string{"c", "d"},
				TransactionHash: "h", Passthru: passthru,
				Extra: map[string]any{"_x": map[string]any{"y": []any{nil, 1.0}}},
			},
		},
	},
	{`[17,1,2]`, &wamp.Published{Request: 1, Publication: 2}},
	{`[32,1,{},""]`, &wamp.Subscribe{Request: 1}},
	{
		`[32,1,{"match":"wildcard","get_retained":true,"_since":"now","_where":"a > 1"},"a..b"]`,
		&wamp.Subscribe{Request: 1, Topic: "a..b", Options: wamp.SubscribeOptions{
			Match: wamp.Wildcard, GetRetained: true, Extra: map[string]any{"_since": "now", "_where": "a > 1"},
		}},
	},
	{`[32,1,{"match":"prefix"},"a"]`, &wamp.Subscribe{Request: 1, Topic: "a", Options: wamp.SubscribeOptions{Match: wamp.Prefix}}},
	{`[33,1,2]`, &wamp.Subscribed{Request: 1, Subscription: 2}},
	{`[34,1,2]`, &wamp.Unsubscribe{Request: 1, Subscription: 2}},
	{`[35,1]`, &wamp.Unsubscribed{Request: 1}},
	{`[35,0,{"subscription":2,"reason":"r.x"}]`, &wamp.Unsubscribed{Subscription: 2, Reason: "r.x"}},
	{`[36,1,2,{}]`, &wamp.Event{Subscription: 1, Publication: 2}},
	{
		`[36,1,2,{"topic":"t","publisher":3,"publisher_authid":"a","publisher_authrole":"b","retained":true,` +
			`"transaction_hash":"h","x_acknowledged_delivery":true,` + passthruJSON + `,"_class":"c"},[],{}]`,
		&wamp.Event{
			Subscription: 1, Publication: 2, Payload: payload(`[]`, `{}`, ``),
			Details: wamp.EventDetails{
				Topic: "t", Publisher: 3, PublisherAuthID: "a", PublisherAuthRole: "b", Retained: true,
				TransactionHash: "h", AckDelivery: true, Passthru: passthru, Extra: map[string]any{"_class": "c"},
			},
		},
	},
	{`[337,5]`, &wamp.EventReceived{Publication: 5}},
	{`[48,1,{},"p"]`, &wamp.Call{Request: 1, Procedure: "p"}},
	{
		`[48,1,{"timeout":9007199254740992,"receive_progress":true,"progress":true,"disclose_me":true,"transaction_hash":"h",` +
			passthruJSON + `,"_x":1},"p","\u0000AQI="]`,
		&wamp.Call{
			Request: 1, Procedure: "p", Payload: payload(``, ``, `"\u0000AQI="`),
			Options: wamp.CallOptions{
				Timeout: 1 << 53, ReceiveProgress: true, Progress: true, DiscloseMe: true, TransactionHash: "h",
				Passthru: passthru, Extra: map[string]any{"_x": int64(1)},
			},
		},
	},
	{`[49,1,{}]`, &wamp.Cancel{Request: 1}},
	{`[49,1,{"mode":"kill"}]`, &wamp.Cancel{Request: 1, Mode: wamp.Kill}},
	{`[49,1,{"mode":"skip"}]`, &wamp.Cancel{Request: 1, Mode: wamp.Skip}},
	{
		`[50,1,{"progress":true,"transaction_hash":"h",` + passthruJSON + `},[1]]`,
		&wamp.Result{Request: 1, Progress: true, TransactionHash: "h", Passthru: passthru, Payload: payload(`[1]`, ``, ``)},
	},
	{`[64,1,{},"p"]`, &wamp.Register{Request: 1, Procedure: "p", Options: wamp.RegisterOptions{Invoke: "single"}}},
	{
		`[64,1,{"match":"prefix","invoke":"roundrobin","concurrency":3,"force_reregister":true,"_x":1},"p"]`,
		&wamp.Register{Request: 1, Procedure: "p", Options: wamp.RegisterOptions{
			Match: wamp.Prefix, Invoke: "roundrobin", Concurrency: 3, ForceRegister: true, Extra: map[string]any{"_x": int64(1)},
		}},
	},
	{`[65,1,2]`, &wamp.Registered{Request: 1, Registration: 2}},
	{`[66,1,2]`, &wamp.Unregister{Request: 1, Registration: 2}},
	{`[67,1]`, &wamp.Unregistered{Request: 1}},
	{`[67,0,{"registration":2,"reason":"r.x"}]`, &wamp.Unregistered{Registration: 2, Reason: "r.x"}},
	{
		`[68,1,2,{"procedure":"p","caller":3,"caller_authid":"a","caller_authrole":"b","timeout":9,"receive_progress":true,` +
			`"progress":true,"transaction_hash":"h",` + passthruJSON + `},[]]`,
		&wamp.Invocation{
			Request: 1, Registration: 2, Procedure: "p", Caller: 3, CallerAuthID: "a", CallerAuthRole: "b", Timeout: 9,
			ReceiveProgress: true, Progress: true, TransactionHash: "h", Passthru: passthru, Payload: payload(`[]`, ``, ``),
		},
	},
	{`[69,1,{"mode":"kill","reason":"r.x"}]`, &wamp.Interrupt{Request: 1, Mode: wamp.Kill, Reason: "r.x"}},
	{
		`[70,1,{"progress":true,"transaction_hash":"h",` + passthruJSON + `},[],{"a":1}]`,
		&wamp.Yield{Request: 1, Progress: true, TransactionHash: "h", Passthru: passthru, Payload: payload(`[]`, `{"a":1}`, ``)},
	},
}

// withPayload returns a copy of m with another payload.
func withPayload(m wamp.Message, change func(wamp.Payload) wamp.Payload) wamp.Message {
	v := reflect.New(reflect.TypeOf(m).Elem())
	v.Elem().Set(reflect.ValueOf(m).Elem())
	if f := v.Elem().FieldByName("Payload"); f.IsValid() {
		f.Set(reflect.ValueOf(change(f.Interface().(wamp.Payload))))
	}
	return v.Interface().(wamp.Message)
}

func inJSON(t *testing.T, p wamp.Payload) wamp.Payload {
	t.Helper()
	p, err := p.In(wamp.JSON)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Each message decodes to its struct and is appended as it came, in every
// serializer, by one Decoder that has seen all the others.
func TestMessages(t *testing.T) {
	for s := range wamp.Serializer(wamp.NumSerializers) {
		var d wamp.Decoder
		for _, tt := range messages {
			data := recode(t, s, wamp.JSON, []byte(tt.json))
			m, err := d.Decode(s, data)
			if err != nil {
				t.Errorf("%s: Decode(%s): %v", s, tt.json, err)
				continue
			}
			got := withPayload(m, func(p wamp.Payload) wamp.Payload { return inJSON(t, p) })
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: Decode(%s)\n got %+v\nwant %+v", s, tt.json, got, tt.want)
			}
			again := m.Append([]byte("before"), s)
			if got := string(again[:6]); got != "before" {
				t.Errorf("%s: Append changed what stood before to %q", s, got)
			}
			if got, want := parse(t, s, again[6:]), parse(t, s, data); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: Append of %s = %#v, want %#v", s, tt.json, got, want)
			}
		}
	}
}

// TestAppendJSON pins the bytes, which must be compact.
func TestAppendJSON(t *testing.T) {
	for _, tt := range messages {
		if h, ok := tt.want.(*wamp.Hello); ok && h.Features != nil {
			continue // its keys are not in order
		}
		if got := string(tt.want.Append(nil, wamp.JSON)); got != tt.json {
			t.Errorf("Append = %s, want %s", got, tt.json)
		}
	}
}

func TestAppendFields(t *testing.T) {
	m := wamp.Event{
		Subscription: 1, Publication: 2,
		Details: wamp.EventDetails{Fields: []wamp.Field{
			wamp.StringField("_s", "a\"b"), wamp.UintField("_u", 1<<53), wamp.BoolField("_t", true), wamp.BoolField("_f", false),
		}, Extra: map[string]any{"_a": []any{nil, -1}, "_bad": make(chan int)}},
		Payload: wamp.Payload{KwArgs: []byte(`{"a":1}`)}, // brings an empty list
	}
	const want = `[36,1,2,{"_s":"a\"b","_u":9007199254740992,"_t":true,"_f":false,"_a":[null,-1],"_bad":null},[],{"a":1}]`
	if got := string(m.Append(nil, wamp.JSON)); got != want {
		t.Errorf("Append = %s, want %s", got, want)
	}
	for _, s := range []wamp.Serializer{wamp.MessagePack, wamp.CBOR} {
		m.Payload.KwArgs = recode(t, s, wamp.JSON, []byte(`{"a":1}`))
		got := parse(t, s, m.Append(nil, s))
		if want := parse(t, wamp.JSON, []byte(want)); !reflect.DeepEqual(got, want) {
			t.Errorf("Append in %s = %#v, want %#v", s, got, want)
		}
	}
}

// reject says that a message, given as JSON, is a violation in every
// serializer, with this text.
var reject = []struct{ json, text string }{
	{`null`, `message: expected list, found null`},
	{`{}`, `message: expected list, found dict`},
	{`[]`, `message: empty list`},
	{`["16"]`, `message type: expected integer, found string`},
	{`[1.0]`, `message type: expected integer, found float`},
	{`[-1]`, `message type: expected integer, found integer -1`},
	{`[0]`, `message: unknown type 0`},
	{`[7]`, `message: unknown type 7`},
	{`[65552,1,{},"t"]`, `message: unknown type 65552`}, // 16 in 16 bits
	{`[16]`, `PUBLISH: ends after 1 elements, before Request`},
	{`[16,1,{}]`, `PUBLISH: ends after 3 elements, before Topic`},
	{`[16,1,{},"t",[],{},1]`, `PUBLISH: more than the 6 elements that it can have`},
	{`[33,1,2,3]`, `SUBSCRIBED: more than the 3 elements that it can have`},
	{`[1,"r",{"roles":{"caller":{}}},0]`, `HELLO: more than the 3 elements that it can have`},

	{`[16,0,{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found integer 0`},
	{`[16,-5,{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found integer -5`},
	{`[16,9007199254740993,{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found integer 9007199254740993`},
	{`[16,1.0,{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found float`},
	{`[16,1.7,{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found float`},
	{`[16,"1",{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found string`},
	{`[16,null,{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found null`},
	{`[34,1,0]`, `UNSUBSCRIBE.Subscription: expected integer in 1 to 9007199254740992, found integer 0`},
	{`[66,1,null]`, `UNREGISTER.Registration: expected integer in 1 to 9007199254740992, found null`},
	{`[36,0,1,{}]`, `EVENT.Subscription: expected integer in 1 to 9007199254740992, found integer 0`},
	{`[337,0]`, `EVENT_RECEIVED.Publication: expected integer in 1 to 9007199254740992, found integer 0`},

	{`[16,1,null,"t"]`, `PUBLISH.Options: expected dict, found null`},
	{`[16,1,[],"t"]`, `PUBLISH.Options: expected dict, found list`},
	{`[16,1,{},123]`, `PUBLISH.Topic: expected string, found integer 123`},
	{`[16,1,{},null]`, `PUBLISH.Topic: expected string, found null`},
	{`[48,1,{},{}]`, `CALL.Procedure: expected string, found dict`},
	{`[16,1,{},"t",null]`, `PUBLISH.Arguments: expected list, found null`},
	{`[36,1,2,{},null]`, `EVENT.Arguments: expected list, found null`},
	{`[16,1,{},"t",null,[]]`, `PUBLISH.ArgumentsKw: expected dict, found list`},
	{`[16,1,{},"t",null,null]`, `PUBLISH.ArgumentsKw: expected dict, found null`},
	{`[16,1,{},"t",[],null]`, `PUBLISH.ArgumentsKw: expected dict, found null`},
	{`[16,1,{},"t",{}]`, `PUBLISH.Arguments: expected list, found dict`},
	{`[16,1,{},"t","opaque"]`, `PUBLISH.Arguments: expected list, found string`},
	{`[16,1,{"ppt_serializer":"cbor"},"t","opaque"]`, `PUBLISH.Arguments: expected list, found string`},
	{`[16,1,{"ppt_scheme":"wamp"},"t",1]`, `PUBLISH.Arguments: expected list, found integer 1`},
	{`[16,1,{"ppt_scheme":"wamp"},"t","opaque",{}]`, `PUBLISH: more than the 5 elements that it can have`},
	{`[16,1,{},"t",[],[]]`, `PUBLISH.ArgumentsKw: expected dict, found list`},
	{`[3,{},"e","opaque"]`, `ABORT.Arguments: expected list, found string`},

	{`[16,1,{"exclude":[1,"x"]},"t"]`, `PUBLISH.Options.exclude[1]: expected integer in 1 to 9007199254740992, found string`},
	{`[16,1,{"exclude":[-1]},"t"]`, `PUBLISH.Options.exclude[0]: expected integer in 1 to 9007199254740992, found integer -1`},
	{`[16,1,{"eligible_authid":["a",1]},"t"]`, `PUBLISH.Options.eligible_authid[1]: expected string, found integer 1`},
	{`[16,1,{"ppt_scheme":1},"t"]`, `PUBLISH.Options.ppt_scheme: expected string, found integer 1`},
	{`[16,1,{"ppt_keyid":true},"t"]`, `PUBLISH.Options.ppt_keyid: expected string, found bool`},
	{`[16,1,{"enc_key":[]},"t"]`, `PUBLISH.Options.enc_key: expected string, found list`},
	{`[16,1,{"forward_for":[1]},"t"]`, `PUBLISH.Options.forward_for[0]: expected dict, found integer 1`},
	{`[16,1,{"forward_for":[{"session":"x"}]},"t"]`, `PUBLISH.Options.forward_for[0]: expected integer in 1 to 9007199254740992, found string`},
	{`[16,1,{"forward_for":[{"authid":1}]},"t"]`, `PUBLISH.Options.forward_for[0]: expected string, found integer 1`},
	{`[16,1,{"acknowledge":true,"acknowledge":true},"t"]`, `PUBLISH.Options.acknowledge: key stands twice in a dict`},
	{`[16,1,{"x":1,"y":2,"x":3},"t"]`, `PUBLISH.Options.x: key stands twice in a dict`},
	{`[16,1,{"_x":{"a":1,"a":2}},"t"]`, `PUBLISH.Options._x: key "a" stands twice in a dict`},
	{`[16,1,{"":1,"":2},"t"]`, `PUBLISH.Options.: key stands twice in a dict`},
	{
		`[16,1,{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"p":0,"q":0,"r":0,"a":0},"t"]`,
		`PUBLISH.Options.a: key stands twice in a dict`,
	},
	{
		`[16,1,{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"p":0,"q":0,"r":0,"q":0},"t"]`,
		`PUBLISH.Options.q: key stands twice in a dict`,
	},

	{`[16,1,{"_` + strings.Repeat("é", 40) + `":{"a":1,"a":1}},"t"]`, `PUBLISH.Options._` + strings.Repeat("é", 31) + `…: key "a" stands twice in a dict`},

	{`[32,1,{"match":"bogus"},"t"]`, `SUBSCRIBE.Options.match: expected exact, prefix or wildcard, found "bogus"`},
	{`[32,1,{"match":""},"t"]`, `SUBSCRIBE.Options.match: expected exact, prefix or wildcard, found ""`},
	{`[64,1,{"match":1},"p"]`, `REGISTER.Options.match: expected string, found integer 1`},
	{`[64,1,{"invoke":"bogus"},"p"]`, `REGISTER.Options.invoke: expected single, first, last, roundrobin, random or load, found "bogus"`},
	{`[64,1,{"invoke":1},"p"]`, `REGISTER.Options.invoke: expected string, found integer 1`},
	{`[64,1,{"concurrency":-1},"p"]`, `REGISTER.Options.concurrency: expected integer in 0 to 9007199254740992, found integer -1`},
	{`[48,1,{"timeout":1.5},"p"]`, `CALL.Options.timeout: expected integer in 0 to 9007199254740992, found float`},
	{`[48,1,{"timeout":-1},"p"]`, `CALL.Options.timeout: expected integer in 0 to 9007199254740992, found integer -1`},
	{`[48,1,{"receive_progress":1},"p"]`, `CALL.Options.receive_progress: expected bool, found integer 1`},
	{`[49,1,{"mode":"bogus"}]`, `CANCEL.Options.mode: expected skip, kill or killnowait, found "bogus"`},
	{`[69,1,{"mode":1}]`, `INTERRUPT.Options.mode: expected string, found integer 1`},
	{`[69,1,{"mode":"skip"}]`, `INTERRUPT.Options.mode: expected kill or killnowait, found "skip"`},
	{`[70,1,{"progress":"yes"}]`, `YIELD.Options.progress: expected bool, found string`},
	{`[50,1,{"progress":0}]`, `RESULT.Details.progress: expected bool, found integer 0`},
	{`[68,1,2,{"caller":"x"}]`, `INVOCATION.Details.caller: expected integer in 1 to 9007199254740992, found string`},

	{`[1,"r",{}]`, `HELLO.Details.roles: expected dict, found nothing`},
	{`[1,"r",{"roles":[]}]`, `HELLO.Details.roles: expected dict, found list`},
	{`[1,"r",{"roles":{}}]`, `HELLO.Details.roles: expected one of publisher, subscriber, caller, callee, found none`},
	{`[1,"r",{"roles":{"broker":{}}}]`, `HELLO.Details.roles: expected one of publisher, subscriber, caller, callee, found none`},
	{`[1,"r",{"roles":{"caller":true}}]`, `HELLO.Details.roles.caller: expected dict, found bool`},
	{`[1,"r",{"roles":{"caller":{"features":[]}}}]`, `HELLO.Details.roles.caller: expected features to be a dict, found list`},
	{`[1,"r",{"roles":{"caller":{"features":{"x":1}}}}]`, `HELLO.Details.roles.caller: expected feature "x" to be a bool, found integer`},
	{`[1,"r",{"roles":{"caller":{}},"authid":1}]`, `HELLO.Details.authid: expected string, found integer`},
	{`[1,"r",{"roles":{"caller":{}},"authextra":"x"}]`, `HELLO.Details.authextra: expected dict, found string`},
	{`[1,"r",{"roles":{"caller":{}},"authmethods":"x"}]`, `HELLO.Details.authmethods: expected list, found string`},
	{`[1,"r",{"roles":{"caller":{}},"authmethods":["a",1]}]`, `HELLO.Details.authmethods: expected a list of strings, found integer in it`},
	{`[1,"r",{"roles":{"caller":{}},"roles":{}}]`, `HELLO.Details.roles: key stands twice in a dict`},
	{`[1,1,{}]`, `HELLO.Realm: expected string, found integer 1`},
	{`[2,0,{}]`, `WELCOME.Session: expected integer in 1 to 9007199254740992, found integer 0`},
	{`[4,"m",[]]`, `CHALLENGE.Extra: expected dict, found list`},
	{`[17,1,0]`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found integer 0`},
	{`[65,1,-1]`, `REGISTERED.Registration: expected integer in 1 to 9007199254740992, found integer -1`},
	{`[5,1,{}]`, `AUTHENTICATE.Signature: expected string, found integer 1`},
	{`[5,"x",null]`, `AUTHENTICATE.Extra: expected dict, found null`},
	{`[6,{},1]`, `GOODBYE.Reason: expected string, found integer 1`},
	{`[8,5000,1,{},"e"]`, `ERROR.REQUEST.Type: expected the type of a request, found integer 5000`},
	{`[8,0,1,{},"e"]`, `ERROR.REQUEST.Type: expected integer in 1 to 9007199254740992, found integer 0`},
	{`[35,0,{}]`, `UNSUBSCRIBED.Details.subscription: expected integer in 1 to 9007199254740992, found nothing`},
	{`[35,0]`, `UNSUBSCRIBED: ends after 2 elements, before Details`},
	{`[35]`, `UNSUBSCRIBED: ends after 1 elements, before Request`},
	{`[35,1,1]`, `UNSUBSCRIBED.Details: expected dict, found integer 1`},
	{`[67,0,{"registration":0}]`, `UNREGISTERED.Details.registration: expected integer in 1 to 9007199254740992, found integer 0`},
}

func TestRejects(t *testing.T) {
	for _, tt := range reject {
		for s := range wamp.Serializer(wamp.NumSerializers) {
			var d wamp.Decoder
			m, err := d.Decode(s, recode(t, s, wamp.JSON, []byte(tt.json)))
			e, ok := errors.AsType[*wamp.Error](err)
			if !ok || e.URI != wamp.URIProtocolViolation || e.Text != tt.text {
				t.Errorf("%s: Decode(%s) = %v, %v; want %s", s, tt.json, m, err, tt.text)
			}
		}
	}
}

// rejectRaw are bytes that are not well formed, or are so in one serializer
// only; JSON as text, the others in hexadecimal.
var rejectRaw = []struct {
	s          wamp.Serializer
	data, text string
}{
	{wamp.JSON, ``, `malformed json at byte 0: unexpected end`},
	{wamp.JSON, "\xef\xbb\xbf[17,1,2]", `malformed json at byte 0: expected a value`},
	{wamp.JSON, `[17,1,2`, `malformed json at byte 7: unexpected end`},
	{wamp.JSON, `[17,1,2]]`, `1 bytes left over after the end`},
	{wamp.JSON, `[17,1,2,]`, `more than the 3 elements`},
	{wamp.JSON, `[17,1 2]`, `malformed json at byte 6: expected ',' or ']'`},
	{wamp.JSON, `[17,,1]`, `malformed json at byte 4: expected a value`},
	{wamp.JSON, `[017,1,2]`, `malformed json at byte 1: bad number`},
	{wamp.JSON, `[+17,1,2]`, `malformed json at byte 1: expected a value`},
	{wamp.JSON, `[17,NaN,2]`, `malformed json at byte 4: expected a value`},
	{wamp.JSON, `[17,1,tru]`, `malformed json at byte 6: expected a value`},
	{wamp.JSON, `[16,1,{},"t",[.5]]`, `malformed json at byte 14: expected a value`},
	{wamp.JSON, `[16,1,{},"t",[1.]]`, `malformed json at byte 14: bad number`},
	{wamp.JSON, `[16,1,{},"t",[1e]]`, `malformed json at byte 14: bad number`},
	{wamp.JSON, `[16,1,{},"t",[1e+]]`, `malformed json at byte 14: bad number`},
	{wamp.JSON, `[16,1,{},"t",[-]]`, `malformed json at byte 14: bad number`},
	{wamp.JSON, `[16,1,{},"t",[-01]]`, `malformed json at byte 14: bad number`},
	{wamp.JSON, `[16,1,{},"t",[1,]]`, `malformed json at byte 16: expected a value`},
	{wamp.JSON, `[16,1,{"a":1,},"t"]`, `malformed json at byte 13: expected a value`},
	{wamp.JSON, `[16,1,{"a"},"t"]`, `malformed json at byte 10: expected ':' after a key`},
	{wamp.JSON, `[16,1,{"a":1 "b":2},"t"]`, `malformed json at byte 13: expected ',' or '}'`},
	{wamp.JSON, `[16,1,{1:1},"t"]`, `expected a string as key of a dict, found integer 1`},
	{wamp.JSON, `[16,1,{},"t",["a` + "\n" + `b"]]`, `malformed json at byte 16: control character in a string`},
	{wamp.JSON, `[16,1,{},"t",["` + "\xff" + `"]]`, `string is not valid UTF-8`},
	{wamp.JSON, `[16,1,{},"t",["12345678` + "\xed\xa0\x80" + `"]]`, `string is not valid UTF-8`},
	{wamp.JSON, `[16,1,{},"` + "\xc3" + `"]`, `PUBLISH.Topic: malformed json at byte 9: string is not valid UTF-8`},
	{wamp.JSON, `[16,1,{},"t",["\ud800"]]`, `malformed json at byte 15: bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["\udc00"]]`, `bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["\ud800\ud800"]]`, `bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["\ud800x"]]`, `bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["\u12g4"]]`, `bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["\u12"]]`, `bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["\x"]]`, `bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["\`, `bad escape sequence`},
	{wamp.JSON, `[16,1,{},"t",["abc`, `unexpected end`},
	{wamp.JSON, `[16,1,{"_x":1e999},"t"]`, `PUBLISH.Options._x: number 1e999 is out of the range of a double`},
	{wamp.JSON, `[16,4294967296.0,{},"t"]`, `PUBLISH.Request: expected integer in 1 to 9007199254740992, found float`},
	{wamp.JSON, `[16,1,{},"t",` + strings.Repeat("[", 64), `PUBLISH.Arguments: nested deeper than 64`},
	{wamp.JSON, `[16,1,{"x":` + strings.Repeat(`{"a":`, 64), `PUBLISH.Options.x: nested deeper than 64`},

	{wamp.MessagePack, ``, `malformed msgpack at byte 0: unexpected end`},
	{wamp.MessagePack, `931101`, `malformed msgpack at byte 1: more elements announced than bytes left`},
	{wamp.MessagePack, `93110102ff`, `1 bytes left over after the end`},
	{wamp.MessagePack, `9311c102`, `malformed msgpack at byte 2: the code 0xc1 is never used`},
	{wamp.MessagePack, `9311cd01`, `malformed msgpack at byte 3: unexpected end`},
	{wamp.MessagePack, `931101ca3f800000`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found float`},
	{wamp.MessagePack, `931101cb3ff0000000000000`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found float`},
	{wamp.MessagePack, `931101cb4340000000000001`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found float`},
	{wamp.MessagePack, `931101d0ff`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found integer -1`},
	{wamp.MessagePack, `ddffffffff11`, `more elements announced than bytes left`},
	{wamp.MessagePack, `941001dfffffffffa0`, `more elements announced than bytes left`},
	{wamp.MessagePack, `94100180c6ffffffff`, `unexpected end`},
	{wamp.MessagePack, `94100180dbffffffff`, `unexpected end`},
	{wamp.MessagePack, `94100180a1ff`, `PUBLISH.Topic: malformed msgpack at byte 5: string is not valid UTF-8`},
	{wamp.MessagePack, `94100180c40174`, `PUBLISH.Topic: expected string, found binary`},
	{wamp.MessagePack, `941001810101a174`, `expected a string as key of a dict, found integer 1`},
	{wamp.MessagePack, `94100181c4016101a174`, `expected a string as key of a dict, found binary`},
	{wamp.MessagePack, `95100180a174c403010203`, `PUBLISH.Arguments: expected list, found binary`},
	{wamp.MessagePack, `94100181a25f78d40500a174`, `PUBLISH.Options._x: MessagePack extension of type 5, of which only timestamps are known`},
	{wamp.MessagePack, `95100180a17491a1ff`, `PUBLISH.Arguments: malformed msgpack at byte 8: string is not valid UTF-8`},

	{wamp.CBOR, ``, `malformed cbor at byte 0: unexpected end`},
	{wamp.CBOR, `831101`, `malformed cbor at byte 1: more elements announced than bytes left`},
	{wamp.CBOR, `83110102ff`, `1 bytes left over after the end`},
	{wamp.CBOR, `8311011c`, `malformed cbor at byte 3: reserved additional information`},
	{wamp.CBOR, `831101fe`, `malformed cbor at byte 3: reserved additional information`},
	{wamp.CBOR, `831101ff`, `malformed cbor at byte 3: break outside of an indefinite length`},
	{wamp.CBOR, `8311011f`, `malformed cbor at byte 3: indefinite length where there is none`},
	{wamp.CBOR, `831101f818`, `malformed cbor at byte 4: bad simple value`},
	{wamp.CBOR, `831101f820`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found value of another type`},
	{wamp.CBOR, `831101c101`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found tagged value`},
	{wamp.CBOR, `831101f93c00`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found float`},
	{wamp.CBOR, `831101fa4f800000`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found float`},
	{wamp.CBOR, `851001a0617481` + strings.Repeat("c6", 63) + `01`, `nested deeper than 64`},
	{wamp.CBOR, `851001a0617481` + strings.Repeat("c681", 32) + `01`, `nested deeper than 64`},
	{wamp.CBOR, `83110120`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found integer -1`},
	{wamp.CBOR, `8311013bffffffffffffffff`, `PUBLISHED.Publication: expected integer in 1 to 9007199254740992, found float`},
	{wamp.CBOR, `9bffffffffffffffff11`, `more elements announced than bytes left`},
	{wamp.CBOR, `841001bb800000000000000060`, `more elements announced than bytes left`},
	{wamp.CBOR, `841001a07bffffffffffffffff`, `unexpected end`},
	{wamp.CBOR, `841001a07f7bffffffffffffffffff`, `unexpected end`},
	{wamp.CBOR, `841001a07f4161ff`, `malformed cbor at byte 5: expected a chunk of the string`},
	{wamp.CBOR, `841001a07f7f6161ffff`, `malformed cbor at byte 5: expected a chunk of the string`},
	{wamp.CBOR, `841001a07f61c361a9ff`, `string is not valid UTF-8`},
	{wamp.CBOR, `841001a07f6161`, `unexpected end`},
	{wamp.CBOR, `841001a061ff`, `string is not valid UTF-8`},
	{wamp.CBOR, `841001bf6161ff6174`, `break outside of an indefinite length`},
	{wamp.CBOR, `841001a1016161616174`, `expected a string as key of a dict, found integer 1`},
	{wamp.CBOR, `9f1101`, `unexpected end`},
	{wamp.CBOR, `841001a1625f78c24901000000000000000061`, `PUBLISH.Options._x: expected a value that WAMP knows, found value of another type`},
}

func TestRejectsRaw(t *testing.T) {
	for _, tt := range rejectRaw {
		data := []byte(tt.data)
		if tt.s != wamp.JSON {
			var err error
			if data, err = hex.DecodeString(tt.data); err != nil {
				t.Fatal(err)
			}
		}
		var d wamp.Decoder
		m, err := d.Decode(tt.s, data)
		e, ok := errors.AsType[*wamp.Error](err)
		if !ok || e.URI != wamp.URIProtocolViolation || !strings.Contains(e.Text, tt.text) {
			t.Errorf("%s: Decode(%s) = %v, %v; want %s", tt.s, tt.data, m, err, tt.text)
		}
	}
}

// acceptRaw are unusual encodings of [17,1,4294967296] and of a PUBLISH.
func TestAcceptsRaw(t *testing.T) {
	tests := []struct {
		s    wamp.Serializer
		data string
		want string
	}{
		{wamp.JSON, " [\t17 ,\r\n1,4294967296 ] \n", `[17,1,4294967296]`},
		{wamp.JSON, `[16,1,{"\u0061cknowledge":true},"\u0074"]`, `[16,1,{"acknowledge":true},"t"]`},
		{wamp.MessagePack, "\xdc\x00\x03\xcc\x11\xd3\x00\x00\x00\x00\x00\x00\x00\x01\xcf\x00\x00\x00\x01\x00\x00\x00\x00", `[17,1,4294967296]`},
		{wamp.MessagePack, "\x93\x11\x01\xcb\x41\xf0\x00\x00\x00\x00\x00\x00", `[17,1,4294967296]`},       // as wampy writes it
		{wamp.MessagePack, "\x93\x11\x01\xcb\x43\x40\x00\x00\x00\x00\x00\x00", `[17,1,9007199254740992]`}, // 2^53
		{wamp.MessagePack, "\x94\x10\x01\x80\xda\x00\x01t", `[16,1,{},"t"]`},
		{wamp.CBOR, "\x9f\x11\x01\x1b\x00\x00\x00\x01\x00\x00\x00\x00\xff", `[17,1,4294967296]`},
		{wamp.CBOR, "\x83\x11\x01\xfb\x41\xf0\x00\x00\x00\x00\x00\x00", `[17,1,4294967296]`},
		{wamp.CBOR, "\x84\x19\x00\x10\x1b\x00\x00\x00\x00\x00\x00\x00\x01\xbf\x7f\x63ack\x68nowledge\xff\xf5\xff\x7f\x61t\xff", `[16,1,{"acknowledge":true},"t"]`},
	}
	for _, tt := range tests {
		var d wamp.Decoder
		m, err := d.Decode(tt.s, []byte(tt.data))
		if err != nil {
			t.Errorf("%s: Decode(%q): %v", tt.s, tt.data, err)
			continue
		}
		if got := string(m.Append(nil, wamp.JSON)); got != tt.want {
			t.Errorf("%s: Decode(%q) = %s, want %s", tt.s, tt.data, got, tt.want)
		}
	}
}

// Options that WAMP or we do not know are skipped, and so is the trace of other
// routers, in every message that has a dictionary of options.
func TestUnknownOptions(t *testing.T) {
	const dict = `{"unknown":{"a":[1,2.5,"x",null,{"b":true}]},"forward_for":[{"session":1,"authid":"a","authrole":"b","x":[]}],"zzz":0}`
	tests := []struct{ in, want string }{
		{`[8,48,1,{"forward_for":[]},"e"]`, `[8,48,1,{},"e"]`},
		{`[16,1,` + dict + `,"t"]`, `[16,1,{},"t"]`},
		{`[32,1,` + dict + `,"t"]`, `[32,1,{},"t"]`},
		{`[35,1,` + dict + `]`, `[35,1]`},
		{`[35,0,{"subscription":2,"x":[]}]`, `[35,0,{"subscription":2}]`},
		{`[36,1,2,` + dict + `]`, `[36,1,2,{}]`},
		{`[48,1,` + dict + `,"p"]`, `[48,1,{},"p"]`},
		{`[49,1,` + dict + `]`, `[49,1,{}]`},
		{`[50,1,` + dict + `]`, `[50,1,{}]`},
		{`[64,1,` + dict + `,"p"]`, `[64,1,{},"p"]`},
		{`[64,1,{"invoke":"single"},"p"]`, `[64,1,{},"p"]`},
		{`[68,1,2,` + dict + `]`, `[68,1,2,{}]`},
		{`[69,1,` + dict + `]`, `[69,1,{"mode":"killnowait"}]`},
		{`[70,1,` + dict + `]`, `[70,1,{}]`},
	}
	for _, tt := range tests {
		for s := range wamp.Serializer(wamp.NumSerializers) {
			var d wamp.Decoder
			m, err := d.Decode(s, recode(t, s, wamp.JSON, []byte(tt.in)))
			if err != nil {
				t.Errorf("%s: Decode(%s): %v", s, tt.in, err)
				continue
			}
			if got := string(m.Append(nil, wamp.JSON)); got != tt.want {
				t.Errorf("%s: Decode(%s) = %s, want %s", s, tt.in, got, tt.want)
			}
		}
	}
}

func TestMaxDepth(t *testing.T) {
	nested := func(levels int) []byte { // in all
		return fmt.Appendf(nil, `[16,1,{},"t",%s%s]`, strings.Repeat("[", levels-1), strings.Repeat("]", levels-1))
	}
	for _, tt := range []struct{ max, levels int }{{0, 64}, {2, 2}, {5, 5}, {1000, 1000}} {
		d := wamp.Decoder{MaxDepth: tt.max}
		if _, err := d.Decode(wamp.JSON, nested(tt.levels)); err != nil {
			t.Errorf("MaxDepth %d, %d levels: %v", tt.max, tt.levels, err)
		}
		if _, err := d.Decode(wamp.JSON, nested(tt.levels+1)); !errors.Is(err, wamp.ErrProtocolViolation) {
			t.Errorf("MaxDepth %d, %d levels: error %v, want a protocol violation", tt.max, tt.levels+1, err)
		}
	}
}

// What a message holds may be kept when the Decoder goes on, but for the
// payload.
func TestDecodedLasts(t *testing.T) {
	data := []byte(`[16,1,{"exclude":[7],"eligible_authid":["al\u0069ce"],"_x":{"k":"v"}},"a.b",["x"]]`)
	var d wamp.Decoder
	m, err := d.Decode(wamp.JSON, data)
	if err != nil {
		t.Fatal(err)
	}
	kept := *m.(*wamp.Publish)
	kept.Payload = kept.Payload.Clone()
	clear(data)
	if _, err := d.Decode(wamp.JSON, []byte(`[16,2,{"exclude":[8],"eligible_authid":["b\u006fb"],"_x":{"k":"w"}},"c.d",["y"]]`)); err != nil {
		t.Fatal(err)
	}
	const want = `[16,1,{"exclude":[7],"eligible_authid":["alice"],"_x":{"k":"v"}},"a.b",["x"]]`
	if got := string(kept.Append(nil, wamp.JSON)); got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}
