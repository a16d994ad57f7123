package router_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// FuzzRouter lets two sessions, which speak different serializers, say whatever
// the fuzzer's bytes make of it, stall and break off. Whatever it is, nothing
// panics, every request has exactly one answer unless its session ends, and
// nothing is left behind.
func FuzzRouter(f *testing.F) {
	for _, s := range []string{
		"", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09",
		"\x00\x00\x03\x00\x41\x00\x81\x00",                 // subscribe, publish
		"\x04\x00\x05\x00\x45\x00\x06\x00\x08\x01",         // register, call, yield
		"\x04\x00\x45\x01\x09\x00\x47\x01\x0a\x00",         // call, progress, cancel, leave
		"\x04\x00\x45\x02\x0c\x00\x0b\x01\x4d\x00\x0d\x01", // call, time, garbage, hang up
		"\x40\x00\x4e\x00\x01\x00\x01\x00\x01\x00\x4f\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 400 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			tr := newRouter(t, func(c *router.Config) {
				c.QueueBytes, c.MaxSubscriptions, c.MaxRegistrations, c.MaxCalls = 4096, 4, 4, 4
			})
			both := []*fuzzed{newFuzzed(t, tr, wamp.JSON), newFuzzed(t, tr, wamp.MessagePack)}
			for len(script) >= 2 {
				both[script[0]>>6&1].act(script[0]&0x3f, script[1])
				script = script[2:]
				synctest.Wait()
				for _, p := range both {
					p.read()
				}
			}
			for _, p := range both {
				p.c.link.setStalled(false)
			}
			// Whoever was called answers now at the latest; answers may
			// be calls' of both.
			for range 2 {
				synctest.Wait()
				for _, p := range both {
					p.read()
					p.answerAll()
				}
			}
			synctest.Wait()
			for _, p := range both {
				p.read()
				if p.c.closed() {
					continue
				}
				for request, what := range p.open {
					t.Errorf("%s in %v was not answered", what, request)
				}
			}
			for _, p := range both {
				p.c.hangUp()
			}
			synctest.Wait()
			if left := tr.rt.Realm(testRealm).Leftovers(); left != "" {
				t.Errorf("%s are left", left)
			}
		})
	})
}

// A request is what an answer refers to.
type request struct {
	of wamp.Type
	id uint64
}

// A fuzzed is one of the sessions of FuzzRouter.
type fuzzed struct {
	t       *testing.T
	c       *client
	next    uint64             // the last request
	open    map[request]string // requests that were not answered
	invoked []uint64           // invocations that were not answered
	subs    []uint64
	regs    []uint64
}

func newFuzzed(t *testing.T, tr *testRouter, ser wamp.Serializer) *fuzzed {
	p := &fuzzed{t: t, c: tr.connectWith(ser), open: map[request]string{}}
	p.send(`[1,"realm1",{"roles":{"publisher":{},"subscriber":{},"caller":{},"callee":{"features":{"call_canceling":true,"progressive_call_results":true}}}}]`)
	return p
}

func (p *fuzzed) send(msg string) {
	data, err := translate(wamp.JSON, p.c.ser, []byte(msg))
	if err != nil {
		p.t.Fatalf("%s: %v", msg, err)
	}
	p.c.send(string(data))
}

// ask sends a request, which format and args say but for its ID.
func (p *fuzzed) ask(of wamp.Type, format string, args ...any) {
	p.next++
	p.open[request{of, p.next}] = of.String()
	p.send(fmt.Sprintf("[%d,%d,", of, p.next) + fmt.Sprintf(format, args...) + "]")
}

// pick returns one of ids, or an ID that is probably none of them.
func pick(ids []uint64, arg byte) uint64 {
	if len(ids) == 0 || arg&0x80 != 0 {
		return uint64(arg) + 1
	}
	return ids[int(arg)%len(ids)]
}

// act does one thing.
func (p *fuzzed) act(what, arg byte) {
	topic := []string{"a.b", "a.b.c", "x", "a..c"}[arg&3]
	options := []string{`{}`, `{"match":"prefix"}`, `{"match":"wildcard"}`, `{"match":"exact","x":1}`}[arg>>2&3]
	switch what % 18 {
	case 0:
		p.ask(wamp.TypeSubscribe, `%s,%q`, options, topic)
	case 1:
		p.ask(wamp.TypePublish, `{"acknowledge":true,"exclude_me":%v},%q,[%q]`, arg&16 == 0, topic, strings.Repeat("x", int(arg)*8))
	case 2:
		p.next++
		p.send(fmt.Sprintf(`[16,%d,{"disclose_me":true,"eligible_authrole":["tester"]},%q,[],{"k":%d}]`, p.next, topic, arg))
	case 3:
		p.ask(wamp.TypeUnsubscribe, `%d`, pick(p.subs, arg))
	case 4:
		p.ask(wamp.TypeRegister, `%s,%q`, []string{`{}`, `{}`, `{}`, `{"invoke":"random"}`}[arg>>2&3], topic)
	case 5:
		p.ask(wamp.TypeCall, `%s,%q,[%d]`, []string{
			`{}`, `{"receive_progress":true}`, `{"timeout":5}`, `{"disclose_me":true,"timeout":0}`,
		}[arg>>2&3], topic, arg)
	case 6:
		p.ask(wamp.TypeUnregister, `%d`, pick(p.regs, arg))
	case 7:
		p.send(fmt.Sprintf(`[70,%d,{"progress":true},[%d]]`, pick(p.invoked, arg), arg))
	case 8:
		p.answer(fmt.Sprintf(`[70,%%d,{},[%d]]`, arg), pick(p.invoked, arg))
	case 9:
		p.answer(`[8,68,%d,{},"com.example.error",[],{}]`, pick(p.invoked, arg))
	case 10:
		p.send(fmt.Sprintf(`[49,%d,{"mode":%q}]`, pick([]uint64{p.next, max(p.next, 2) - 1}, arg), []string{"skip", "kill", "killnowait"}[arg%3]))
	case 11:
		p.send(`[6,{},"wamp.close.close_realm"]`)
	case 12:
		time.Sleep(time.Duration(arg) * 10 * time.Millisecond)
	case 13:
		p.c.send(string([]byte{'[', arg, ',', arg}))
	case 14:
		p.c.link.setStalled(true)
	case 15:
		p.c.link.setStalled(false)
	case 16:
		p.c.hangUp()
	case 17:
		p.send(messagesOfAnyKind[int(arg)%len(messagesOfAnyKind)])
	}
}

// messagesOfAnyKind are not to be sent, or not as they are.
var messagesOfAnyKind = []string{
	`[1,"realm1",{"roles":{"caller":{}}}]`, `[3,{},"com.example.crash"]`, `[5,"x",{}]`, `[17,1,1]`, `[36,1,1,{}]`, `[337,1]`,
	`[48,1,{},"a.b","opaque"]`, `[32,0,{},"x"]`, `[70,999,{}]`, `[8,48,1,{},"e"]`, `[49,999,{}]`, `[50,1,{}]`,
}

// answer answers an invocation for good, if there is one with the ID.
func (p *fuzzed) answer(format string, id uint64) {
	p.send(fmt.Sprintf(format, id))
	kept := p.invoked[:0]
	for _, had := range p.invoked {
		if had != id {
			kept = append(kept, had)
		}
	}
	p.invoked = kept
}

func (p *fuzzed) answerAll() {
	for len(p.invoked) > 0 {
		p.answer(`[70,%d,{},["late"]]`, p.invoked[0])
	}
}

// read handles what the session has got.
func (p *fuzzed) read() {
	for data, ok := p.c.next(); ok; data, ok = p.c.next() {
		msg, err := translate(p.c.ser, wamp.JSON, data)
		if err != nil {
			p.t.Fatalf("the router sent %q: %v", data, err)
		}
		var list []json.RawMessage
		if err := json.Unmarshal(msg, &list); err != nil {
			p.t.Fatalf("the router sent %s: %v", msg, err)
		}
		number := func(i int) (n uint64) {
			if err := json.Unmarshal(list[i], &n); err != nil {
				p.t.Fatalf("the router sent %s: %v", msg, err)
			}
			return n
		}
		switch of := wamp.Type(number(0)); of {
		case wamp.TypePublished, wamp.TypeUnsubscribed, wamp.TypeUnregistered:
			p.answered(msg, of-1, number(1))
		case wamp.TypeSubscribed:
			p.answered(msg, of-1, number(1))
			p.subs = append(p.subs, number(2))
		case wamp.TypeRegistered:
			p.answered(msg, of-1, number(1))
			p.regs = append(p.regs, number(2))
		case wamp.TypeResult:
			if string(list[2]) != `{"progress":true}` {
				p.answered(msg, wamp.TypeCall, number(1))
			} else if p.open[request{wamp.TypeCall, number(1)}] == "" {
				p.t.Errorf("%s is for a call that is over", msg)
			}
		case wamp.TypeError:
			p.answered(msg, wamp.Type(number(1)), number(2))
		case wamp.TypeInvocation:
			p.invoked = append(p.invoked, number(1))
		}
	}
}

// answered notes that a request has its answer, which must be the first.
func (p *fuzzed) answered(msg []byte, of wamp.Type, id uint64) {
	r := request{of, id}
	if p.open[r] == "" {
		p.t.Errorf("%s answers nothing that was asked, or again", msg)
	}
	delete(p.open, r)
}
