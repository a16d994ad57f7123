package xmlrpc_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/ingest"
	"github.com/wireroom/wireroom/ingest/ingesttest"
)

// callStruct returns a call of system.multicall.
func callStruct(method string, params ...string) string {
	list := "<array><data/></array>"
	if len(params) > 0 {
		list = array(params...)
	}
	// The order of members is free.
	return "<struct><member><name>params</name><value>" + list + "</value></member>" +
		"<member><name>methodName</name><value>" + method + "</value></member></struct>"
}

func TestMulticall(t *testing.T) {
	const ok = "<value><array><data><value><string>drawn-1</string></value></data></array></value>"
	fault := func(code, text string) string { // as result shortens it
		return "<value><struct><member><name>faultCode</name><value><int>" + code + " " + text + "</string></value></member></struct></value>"
	}
	tests := []struct {
		name, call string
		want       string
	}{
		{"good", callStruct("event.publish", "demo", "a", data), ok},
		{"refused", callStruct("event.publish", "demo", "forbidden", data), fault("403", "forbidden: the ingest key may not do this")},
		{"unknown", callStruct("x"), fault("-32601", `there is no method "x"; system.listMethods has all`)},
		{"nested", callStruct("system.multicall", array()), fault("-32602", "system.multicall inside system.multicall")},
		{"no struct", "a", fault("-32602", "system.multicall: expected a struct with methodName and params, found string")},
		{"empty struct", "<struct/>", fault("-32602", "system.multicall: a call without methodName")},
		{
			"no params", "<struct><member><name>methodName</name><value>a</value></member></struct>",
			fault("-32602", "system.multicall: a call without params"),
		},
		{
			"name of a wrong type", "<struct><member><name>methodName</name><value><int>1</int></value></member></struct>",
			fault("-32602", "system.multicall: methodName: expected string, found int"),
		},
		{
			"params of a wrong type", "<struct><member><name>params</name><value><int>1</int></value></member></struct>",
			fault("-32602", "system.multicall: params: expected array, found int"),
		},
		{
			"unknown member", "<struct><member><name>args</name><value/></member></struct>",
			fault("-32602", `system.multicall: expected the members methodName and params, found "args"`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHandler(checked())
			w := post(h, request("system.multicall", array(tt.call)))
			if got, want := result(w), "<array><data>"+tt.want+"</data></array>"; got != want {
				t.Errorf("answer %s, want %s", got, want)
			}
		})
	}
}

// A failure in the middle leaves the calls around it alone.
func TestMulticallGoesOn(t *testing.T) {
	sink := checked()
	w := post(newHandler(sink), request("system.multicall", array(
		callStruct("event.publish", "demo", "a", data),
		callStruct("event.publish", "demo", "forbidden", data),
		callStruct("event.publish", "demo", "b", data),
	)))
	if n := len(sink.Events()); n != 2 || strings.Count(w.Body.String(), "faultCode") != 1 {
		t.Errorf("%d events posted, answer %s; want 2 and one fault", n, w.Body)
	}
}

func TestMulticallLimits(t *testing.T) {
	calls := make([]string, 1001)
	for i := range calls {
		calls[i] = callStruct("a")
	}
	w := post(newHandler(checked()), request("system.multicall", array(calls...)))
	if got := result(w); got != "413 system.multicall: at most 1000 calls, found 1001" {
		t.Errorf("1001 calls are answered by %.100s", got)
	}

	// An answer that grows too large stops the calls that would make it grow.
	sink := &ingesttest.Sink{ClassList: []ingest.ClassInfo{{Name: strings.Repeat("a", 1<<20)}}}
	w = post(newHandler(sink), request("system.multicall", array(
		callStruct("class.list", "demo"), callStruct("class.list", "demo"), callStruct("class.list", "demo"),
		callStruct("class.list", "demo"), callStruct("class.list", "demo"), callStruct("event.publish", "demo", "a", data),
	)))
	if n := strings.Count(w.Body.String(), "not called, the answer is larger than 4194304 bytes"); n != 2 || len(sink.Events()) != 0 {
		t.Errorf("%d calls were refused and %d events posted, want 2 and 0", n, len(sink.Events()))
	}
}

// Calls of a caller that has left are not made.
func TestMulticallGone(t *testing.T) {
	sink := checked()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := strings.NewReader(request("system.multicall", array(callStruct("event.publish", "demo", "a", data))))
	r := httptest.NewRequestWithContext(ctx, "POST", "/RPC2", body)
	r.Header.Set("Content-Type", "text/xml")
	w := httptest.NewRecorder()
	newHandler(sink).ServeHTTP(w, r)
	if got := result(w); !strings.HasPrefix(got, "503 ") || len(sink.Events()) != 0 {
		t.Errorf("answer %s, %d events posted; want a fault 503 and none", got, len(sink.Events()))
	}
}
