package dynamic

import (
	"reflect"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// decode returns a value as a procedure's answer has it.
func decode(t testing.TB, text string) (any, bool) {
	t.Helper()
	list, err := wamp.Payload{Serializer: wamp.JSON, Args: []byte("[" + text + "]")}.DecodeArgs()
	if err != nil || len(list) != 1 {
		return nil, false
	}
	return list[0], true
}

func TestParsePrincipal(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   *auth.Principal
		err    string
	}{
		{`"member"`, &auth.Principal{Role: "member"}, ""},
		{`{"role":"member"}`, &auth.Principal{Role: "member"}, ""},
		{`{}`, &auth.Principal{}, ""},
		{
			`{"authid":"joe","role":"m","realm":"realm1","extra":{"a":1},"secret":"s","salt":"x","iterations":100,"keylen":32,"pubkey":"k","more":[]}`,
			&auth.Principal{AuthID: "joe", Role: "m", Realm: "realm1", Extra: map[string]any{"a": int64(1)}, Secret: "s", Salt: "x", Iterations: 100, KeyLen: 32, PublicKey: "k"}, "",
		},
		{
			`{"role":"m","kdf":"argon2id13","salt":"c2FsdA==","iterations":3,"memory":64,"stored_key":"AAE=","server_key":"AgM="}`,
			&auth.Principal{Role: "m", KDF: "argon2id13", Salt: "c2FsdA==", Iterations: 3, Memory: 64, StoredKey: "AAE=", ServerKey: "AgM="}, "",
		},
		{
			`{"role":"m","kdf":"pbkdf2","salt":"73616c74","iterations":4096,"memory":null,"stored-key":"0001","server-key":"0203"}`,
			&auth.Principal{Role: "m", KDF: "pbkdf2", Salt: "c2FsdA==", Iterations: 4096, StoredKey: "AAE=", ServerKey: "AgM="}, "",
		},
		{`{"salt":"salt","stored-key":"0001","server-key":"0203"}`, nil, "answer: salt: expected hexadecimal digits"},
		{`{"salt":"","stored-key":"hunter2","server-key":"0203"}`, nil, "answer: stored-key: expected hexadecimal digits"},
		{`{"salt":"","stored-key":["hunter2"],"server-key":"0203"}`, nil, "answer: stored-key: expected a text"},
		{`{"stored_key":"hunter2","server-key":"0203"}`, nil, "found both"},
		{`{"memory":true}`, nil, "answer: memory: expected an integer"},
		{`{"role":null,"extra":null,"iterations":null}`, &auth.Principal{}, ""},
		{`null`, nil, "found a value of type null"},
		{`true`, nil, "found a value of type bool"},
		{`7`, nil, "found a value of type number"},
		{`["member"]`, nil, "found a value of type list"},
		{`""`, nil, "found an empty text"},
		{`{"role":7}`, nil, "answer: role: expected a text, found a value of type number"},
		{`{"secret":["hunter2"]}`, nil, "answer: secret: expected a text"},
		{`{"extra":"hunter2"}`, nil, "answer: extra: expected a dictionary"},
		{`{"iterations":"100"}`, nil, "answer: iterations: expected an integer"},
		{`{"iterations":1.5}`, nil, "answer: iterations: expected an integer"},
		{`{"keylen":-1}`, nil, "answer: keylen: expected an integer"},
		{`{"keylen":99999999999}`, nil, "answer: keylen: expected an integer"},
	} {
		v, ok := decode(t, tt.answer)
		if !ok {
			t.Fatalf("%s cannot be read", tt.answer)
		}
		got, err := parsePrincipal(v)
		if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want an error with %q", tt.answer, err, tt.err)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.answer, got, tt.want)
		}
	}
}

// Whatever the answer, there is a principal or an error, and no error quotes it.
func FuzzParsePrincipal(f *testing.F) {
	for _, s := range []string{`"member"`, `{"role":"m","secret":"hunter2hunter2"}`, `{"iterations":1e300}`, `{"extra":["hunter2hunter2"]}`, `{"salt":"00","stored-key":"hunter2hunter2"}`, `[[[[]]]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := decode(t, text)
		if !ok {
			return
		}
		p, err := parsePrincipal(v)
		if (p == nil) == (err == nil) {
			t.Fatalf("%s: %+v, %v", text, p, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") || p != nil && (p.Iterations < 0 || p.KeyLen < 0) {
			t.Fatalf("%s: %+v, %v", text, p, err)
		}
	})
}
