package router_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
)

// A joined client sends one message, and gets one answer: the one that it asked
// for, ERROR with a URI that says what is wrong, or ABORT, which ends the
// session. Types and ranges of options are tested in package wamp; here is what
// a router makes of them.
func TestRequests(t *testing.T) {
	const abort = "wamp.error.protocol_violation"
	tests := []struct{ send, want string }{
		// IDs.
		{`[32,1,{},"com.example.topic"]`, `[33,1,`},
		{`[32,9007199254740992,{},"com.example.topic"]`, `[33,9007199254740992,`},
		{`[32,0,{},"com.example.topic"]`, abort},
		{`[16,9007199254740993,{},"com.example.topic"]`, abort},
		{`[48,-1,{},"com.example.add"]`, abort},
		{`[64,1.0,{},"com.example.add"]`, abort},
		{`[66,"1",1]`, abort},
		{`[34,1,0]`, abort},
		{`[34,1,9007199254740992]`, `[8,34,1,{},"wamp.error.no_such_subscription"`},
		{`[66,1,9007199254740992]`, `[8,66,1,{},"wamp.error.no_such_registration"`},
		{`[49,0,{}]`, abort},
		{`[49,9007199254740992,{}]`, ``},
		{`[70,0,{}]`, abort},
		{`[8,68,0,{},"com.example.error"]`, abort},

		// URIs.
		{`[32,1,{},""]`, `[8,32,1,{},"wamp.error.invalid_uri"`},
		{`[32,1,{"match":"prefix"},""]`, `[33,1,`},
		{`[32,1,{"match":"wildcard"},""]`, `[8,32,1,{},"wamp.error.invalid_uri"`},
		{`[32,1,{"match":"wildcard"},".."]`, `[33,1,`},
		{`[32,1,{},"com. example"]`, `[8,32,1,{},"wamp.error.invalid_uri"`},
		{`[32,1,{},"com.example#"]`, `[8,32,1,{},"wamp.error.invalid_uri"`},
		{`[32,1,{},"com.example\u2003"]`, `[8,32,1,{},"wamp.error.invalid_uri"`},
		{`[32,1,{},"com.exämple"]`, `[33,1,`},
		{`[32,1,{},"` + strings.Repeat("x", 1025) + `"]`, `[8,32,1,{},"wamp.error.invalid_uri"`},
		{`[16,1,{"acknowledge":true},"com.example."]`, `[8,16,1,{},"wamp.error.invalid_uri"`},
		{`[16,1,{},"com.example."]`, ``}, // nobody asked
		{`[48,1,{},".com"]`, `[8,48,1,{},"wamp.error.invalid_uri"`},
		{`[64,1,{},"com..add"]`, `[8,64,1,{},"wamp.error.invalid_uri"`},
		{`[64,1,{"match":"wildcard"},"com..add"]`, `[65,1,`},
		{`[48,1,{},{}]`, abort},

		// Options.
		{`[32,1,{"match":"regex"},"com.example"]`, abort},
		{`[32,1,{"match":0},"com.example"]`, abort},
		{`[32,1,{"unknown":[1,{"a":2}],"_ours":true},"com.example"]`, `[33,1,`},
		{`[32,1,{"match":"exact","match":"prefix"},"com.example"]`, abort},
		{`[32,1,{"get_retained":true},"com.example"]`, `[33,1,`}, // there is none
		{`[16,1,{"acknowledge":1},"com.example"]`, abort},
		{`[16,1,{"acknowledge":"true"},"com.example"]`, abort},
		{`[16,1,{"acknowledge":true,"exclude":[0]},"com.example"]`, abort},
		{`[16,1,{"acknowledge":true,"exclude":7},"com.example"]`, abort},
		{`[16,1,{"acknowledge":true,"eligible":["x"]},"com.example"]`, abort},
		{`[16,1,{"acknowledge":true,"eligible_authid":"joe"},"com.example"]`, abort},
		{`[16,1,{"acknowledge":true,"retain":true},"com.example"]`, `[17,1,`},
		{`[48,1,{"timeout":-1},"com.example.none"]`, abort},
		{`[48,1,{"timeout":1.5},"com.example.none"]`, abort},
		{`[48,1,{"timeout":"1"},"com.example.none"]`, abort},
		{`[48,1,{"timeout":9007199254740993},"com.example.none"]`, abort},
		{`[48,1,{"timeout":9007199254740992},"com.example.none"]`, `[8,48,1,{},"wamp.error.no_such_procedure"`},
		{`[48,1,{"progress":true},"com.example.none"]`, abort},
		{`[48,1,{"runmode":"every"},"com.example.none"]`, abort},
		{`[64,1,{"invoke":"load"},"com.example.add"]`, `[65,1,`},
		{`[64,1,{"concurrency":1},"com.example.add"]`, `[65,1,`},
		{`[64,1,{"concurrency":0},"com.example.add"]`, `[65,1,`},
		{`[64,1,{"concurrency":-1},"com.example.add"]`, abort},
		{`[49,1,{"mode":"abort"}]`, abort},
		{`[6,{"message":1},"wamp.close.normal"]`, abort},
		{`[6,[],"wamp.close.normal"]`, abort},
		{`[6,{},1]`, abort},
		{`[6,{"unknown":1},"anything at all"]`, `[6,{},"wamp.close.goodbye_and_out"]`},

		// Payload.
		{`[48,1,{},"wireroom.test.echo",[1,"a",null]]`, `[50,1,{},[1,"a",null]]`},
		{`[48,1,{},"wireroom.test.echo",[],[]]`, abort},
		{`[48,1,{},"wireroom.test.echo",{}]`, abort},
		{`[48,1,{},"wireroom.test.echo","x"]`, abort},
		{`[48,1,{},"wireroom.test.echo",[],{},1]`, abort},

		// Messages that are not for a client to send, or not now.
		{`[1,"realm1",{"roles":{"caller":{}}}]`, abort},
		{`[2,1,{}]`, abort},
		{`[4,"ticket",{}]`, abort},
		{`[5,"x",{}]`, abort},
		{`[17,1,1]`, abort},
		{`[33,1,1]`, abort},
		{`[36,1,1,{}]`, abort},
		{`[50,1,{}]`, abort},
		{`[68,1,1,{}]`, abort},
		{`[69,1,{}]`, abort},
		{`[337,1]`, abort},
		{`[8,48,1,{},"com.example.error"]`, abort},
		{`[8,16,1,{},"com.example.error"]`, abort},
		{`[99]`, abort},
		{`[]`, abort},
		{`null`, abort},
		{``, abort},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			tr := newRouter(t)
			c := tr.connect()
			c.send(hello)
			c.mustNext(t, 2)
			c.send(tt.send)
			synctest.Wait()
			got, ok := c.next()
			switch {
			case tt.want == "":
				if ok || c.closed() {
					t.Errorf("%s was answered with %s, want nothing", tt.send, got)
				}
			case tt.want == abort:
				if !strings.HasPrefix(string(got), "[3,") || !strings.HasSuffix(string(got), `"`+abort+`"]`) || !c.closed() {
					t.Errorf("%s was answered with %s, want ABORT and the end", tt.send, got)
				}
			case !strings.HasPrefix(string(got), tt.want):
				t.Errorf("%s was answered with %s, want %s…", tt.send, got, tt.want)
			}
			if more, ok := c.next(); ok {
				t.Errorf("%s was answered with %s besides", tt.send, more)
			}
		})
	}
}

// The longest timeout that a call can have does not pass at once, nor in a
// century.
func TestLongestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newRouter(t, func(c *router.Config) { c.WriteTimeout = time.Minute })
		c := tr.connect()
		c.send(hello)
		c.mustNext(t, 2)
		c.send(`[64,1,{},"com.example.slow"]`)
		c.mustNext(t, 65)
		c.send(`[48,2,{"timeout":9007199254740992},"com.example.slow"]`)
		c.mustNext(t, 68)
		time.Sleep(100 * 365 * 24 * time.Hour)
		synctest.Wait()
		if msg, ok := c.next(); ok {
			t.Errorf("got %s, want nothing", msg)
		}
		c.send(`[70,1,{},["at last"]]`)
		c.mustNext(t, 50)
	})
}
