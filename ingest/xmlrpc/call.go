package xmlrpc

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/wireroom/wireroom/ingest"
)

// maxKept is how much memory of one kind a call keeps for the next, in bytes.
const maxKept = 64 << 10

// A call is one request while it is served, with memory that is used again.
type call struct {
	h *Handler // fixed

	// Of the present request. The context is the request's, whose life this is.
	ctx        context.Context
	request    *http.Request
	retryAfter time.Duration // longest that a fault asked for

	body []byte
	out  []byte
	decoder
}

// release gives the call's memory back. Nothing may point into it.
func (c *call) release() {
	c.ctx, c.request, c.retryAfter = nil, nil, 0
	const nodeBytes, intBytes = 24, 4
	if cap(c.body) > maxKept || cap(c.out) > maxKept || cap(c.json) > maxKept || cap(c.wide) > maxKept ||
		cap(c.scratch) > maxKept || cap(c.nodes) > maxKept/nodeBytes || cap(c.siblings) > maxKept/intBytes {
		return
	}
	c.h.calls.Put(c)
}

// answer decodes the request's body, does what it asks, and leaves the whole
// answer in c.out.
func (c *call) answer(charset string) {
	c.out = append(c.out[:0], answerHead...)
	c.out = append(c.out, paramsHead...)
	err := c.decode(c.body, charset)
	if err == nil {
		if m := c.h.methods[string(c.method)]; m == nil {
			err = unknownMethod(string(c.method))
		} else {
			err = c.invoke(m, c.params())
		}
	}
	if err != nil {
		code, text := c.explain(string(c.method), err)
		c.out = append(c.out[:0], answerHead...)
		c.out = append(c.out, "<fault>"...)
		c.out = appendFault(c.out, code, text)
		c.out = append(c.out, "</fault>"...)
	} else {
		c.out = append(c.out, paramsTail...)
	}
	c.out = append(c.out, answerTail...)
}

// invoke calls a method, which appends its result to c.out as one <value>.
// After an error, what it appended is meaningless.
func (c *call) invoke(m *method, args args) error {
	if args.n < m.min || args.n > m.max {
		return faultf(CodeInvalidParams, "expected %s, found %d parameters", m.usage(), args.n)
	}
	args.method = m
	return m.call(c, args)
}

func unknownMethod(name string) error {
	return faultf(CodeUnknownMethod, "there is no method %q; system.listMethods has all", ingest.Clip(name))
}

// args are the parameters of one method call: the values of a list of siblings.
type args struct {
	method *method
	n      int
	at     [maxParams]int32 // nodes of the first ones
}

// maxParams is how many parameters a method may have.
const maxParams = 4

// params returns the parameters of the call.
func (c *call) params() args { return c.list(0, len(c.nodes)) }

// list returns the siblings whose nodes are from first to before end.
func (c *call) list(first, end int) args {
	var a args
	for i := first; i < end; i = int(c.nodes[i].next) {
		if a.n < maxParams {
			a.at[a.n] = int32(i)
		}
		a.n++
	}
	return a
}

// has reports whether parameter i is there, and not nil.
func (c *call) has(a args, i int) bool { return i < a.n && c.nodes[a.at[i]].typ != typeNil }

// is makes sure that parameter i has the type.
func (c *call) is(a args, i int, typ nodeType) error {
	if found := c.nodes[a.at[i]].typ; found != typ {
		return faultf(CodeInvalidParams, "%s: parameter %d (%s): expected %v, found %v",
			a.method.name, i+1, a.method.params[i], typ, found)
	}
	return nil
}

// string returns parameter i, which must be a string.
func (c *call) string(a args, i int) (string, error) {
	if err := c.is(a, i, typeString); err != nil {
		return "", err
	}
	return c.stringAt(int(a.at[i])), nil
}

// stringAt returns the value of a node of type string.
func (c *call) stringAt(i int) string { return unquote(c.jsonOf(i)) }

// unquote returns the value of a JSON string that this package wrote.
func unquote(json []byte) string {
	inside := json[1 : len(json)-1]
	if bytes.IndexByte(inside, '\\') >= 0 {
		text, _ := jsontext.AppendUnquote(nil, json)
		return string(text)
	}
	return string(inside)
}
