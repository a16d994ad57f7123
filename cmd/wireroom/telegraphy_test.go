package main

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What Telegraphy's applications send arrives as Telegraphy's clients expect
// it: name, meta and data together.
func TestTelegraphy(t *testing.T) {
	p := startProgram(t, writeConfig(t, strings.Replace(testConfig, "\nclasses:\n", `
classes:
  shop.sold:
    access: public
    fields:
      name: {type: string, required: true}
      meta: {type: object}
      data: {type: object, fields: {id: {type: int, required: true}}}
`, 1)))
	events := join(t, p, "").listen(t, "shop.sold", nil)
	const want = `{"data":{"id":7,"tags":["a","b"]},"meta":{"user":"ada"},"name":"shop.sold"}`
	tests := []struct{ name, params, result string }{
		{
			"one parameter",
			`<param><value><struct>` +
				`<member><name>name</name><value>shop.sold</value></member>` +
				`<member><name>meta</name><value><struct><member><name>user</name><value>ada</value></member></struct></value></member>` +
				`<member><name>data</name><value><struct><member><name>id</name><value><int>7</int></value></member>` +
				`<member><name>tags</name><value><array><data><value>a</value><value>b</value></data></array></value></member></struct></value></member>` +
				`</struct></value></param>`,
			"<value><nil/></value>",
		},
		{
			"two parameters",
			`<param><value>shop.sold</value></param><param><value>` + want + `</value></param>`,
			"<value><boolean>1</boolean></value>",
		},
		{
			"two parameters, data that does not match",
			`<param><value>shop.sold</value></param><param><value>{"name": 5}</value></param>`,
			"<value><boolean>0</boolean></value>",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := xml.Header + "<methodCall><methodName>send_event</methodName><params>" + tt.params + "</params></methodCall>"
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/RPC2", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "text/xml")
			req.SetBasicAuth("any", testKey)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			answer, err := io.ReadAll(resp.Body)
			if err != nil || !strings.Contains(string(answer), tt.result) {
				t.Fatalf("send_event answers %s, %v; want %s", answer, err, tt.result)
			}
			if strings.Contains(tt.result, "<boolean>0") {
				return
			}
			e := next(t, events)
			if got := jsonText(e.ArgumentsKw); got != want || len(e.Arguments) > 0 {
				t.Errorf("the event has %s and the arguments %v, want %s alone", got, e.Arguments, want)
			}
		})
	}
}
