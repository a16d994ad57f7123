package xmlrpc_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/wireroom/wireroom/ingest/ingesttest"
	"github.com/wireroom/wireroom/ingest/xmlrpc"
)

// A handler serves XML-RPC wherever it is mounted.
func ExampleNew() {
	sink := new(ingesttest.Sink)
	keys := ingesttest.Keys{"demo": "demo"}
	mux := http.NewServeMux()
	mux.Handle("/RPC2", xmlrpc.New(sink, keys, slog.New(slog.DiscardHandler), xmlrpc.DefaultConfig()))
	server := httptest.NewServer(mux)
	defer server.Close()

	resp, err := http.Post(server.URL+"/RPC2", "text/xml", strings.NewReader(`<?xml version="1.0"?>
		<methodCall>
			<methodName>event.publish</methodName>
			<params>
				<param><value>demo</value></param>
				<param><value>demo.message</value></param>
				<param><value><struct>
					<member><name>text</name><value>hello</value></member>
				</struct></value></param>
			</params>
		</methodCall>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s", answer)
	fmt.Printf("%s\n", sink.Events()[0].Event.Data)
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <methodResponse><params><param><value><string>drawn-1</string></value></param></params></methodResponse>
	// {"text":"hello"}
}
