package transport_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/router/transport"
)

const (
	plainAnswer  = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	windowAnswer = plainAnswer + "; server_max_window_bits=15"
	declined     = ""
	malformed    = "malformed"
)

// What clients offer, one header a line, and what they are answered.
func TestChooseDeflate(t *testing.T) {
	tests := []struct{ offer, want string }{
		// What browsers and libraries send.
		{"permessage-deflate; client_max_window_bits", plainAnswer},                                                // Chromium, Firefox, ws
		{"permessage-deflate", plainAnswer},                                                                        // Safari
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", plainAnswer},                // gorilla
		{"permessage-deflate;client_no_context_takeover;client_max_window_bits", plainAnswer},                      // autobahn
		{"permessage-deflate; client_max_window_bits=15; server_max_window_bits=15", windowAnswer},                 // .NET
		{"permessage-deflate; client_max_window_bits, permessage-deflate; server_max_window_bits=10", plainAnswer}, // RFC 7692, 7.1.3
		{"x-webkit-deflate-frame", declined},                                                                       // old Safari

		// RFC 7692, 5.1 and 7.1: the first offer that can be granted.
		{"permessage-deflate; server_max_window_bits=10, permessage-deflate", plainAnswer},
		{"permessage-deflate; server_max_window_bits=10\npermessage-deflate; server_max_window_bits=15", windowAnswer},
		{"permessage-bzip2, permessage-deflate", plainAnswer},
		{"permessage-deflate; x=1, permessage-deflate; server_max_window_bits=8", declined},

		// 7.1.2.1: our window is not made smaller.
		{"permessage-deflate; server_max_window_bits=15", windowAnswer},
		{"permessage-deflate; server_max_window_bits=14", declined},
		{"permessage-deflate; server_max_window_bits=8", declined},
		{"permessage-deflate; server_max_window_bits=7", declined},
		{"permessage-deflate; server_max_window_bits=16", declined},
		{"permessage-deflate; server_max_window_bits=015", declined},
		{"permessage-deflate; server_max_window_bits=15.0", declined},
		{"permessage-deflate; server_max_window_bits", declined},

		// 7.1.2.2: the client's may have any size.
		{"permessage-deflate; client_max_window_bits=8", plainAnswer},
		{"permessage-deflate; client_max_window_bits=9", plainAnswer},
		{"permessage-deflate; client_max_window_bits=10", plainAnswer},
		{"permessage-deflate; client_max_window_bits=15", plainAnswer},
		{"permessage-deflate; client_max_window_bits=7", declined},
		{"permessage-deflate; client_max_window_bits=16", declined},
		{"permessage-deflate; client_max_window_bits=08", declined},
		{"permessage-deflate; client_max_window_bits=1", declined},
		{"permessage-deflate; client_max_window_bits=100", declined},
		{"permessage-deflate; client_max_window_bits=x", declined},

		// 7.1: what the extension does not have, has no value, or comes twice.
		{"permessage-deflate; mux", declined},
		{"permessage-deflate; server_no_context_takeover=1", declined},
		{"permessage-deflate; client_no_context_takeover=true", declined},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", declined},
		{"permessage-deflate; client_no_context_takeover; client_no_context_takeover", declined},
		{"permessage-deflate; server_max_window_bits=15; server_max_window_bits=15", declined},
		{"permessage-deflate; client_max_window_bits; client_max_window_bits=10", declined},
		{"permessage-deflate; CLIENT_MAX_WINDOW_BITS", declined},
		{"Permessage-Deflate", declined},

		// RFC 6455, 9.1: quoted values hold a token.
		{`permessage-deflate; client_max_window_bits="10"`, plainAnswer},
		{`permessage-deflate; server_max_window_bits="1\5"`, windowAnswer},
		{`permessage-deflate; client_max_window_bits="8"; server_max_window_bits = "15"`, windowAnswer},
		{`permessage-deflate; client_max_window_bits=""`, malformed},
		{`permessage-deflate; client_max_window_bits="10`, malformed},
		{`permessage-deflate; client_max_window_bits="1 0"`, malformed},
		{`permessage-deflate; client_max_window_bits="10\`, malformed},
		{`permessage-deflate; client_max_window_bits="10"5`, malformed},
		{`x; y="a,b", permessage-deflate`, malformed},
		{`x; y="a;b"`, malformed},

		// RFC 2616, 2.1: white space and empty elements.
		{"\tpermessage-deflate ;\tclient_max_window_bits = 10 ,x", plainAnswer},
		{"permessage-deflate;client_max_window_bits=10,x", plainAnswer},
		{", permessage-deflate,,", plainAnswer},
		{"", declined},
		{" , ", declined},

		{"permessage-deflate;", malformed},
		{"permessage-deflate; ; mux", malformed},
		{"permessage-deflate; =10", malformed},
		{"permessage-deflate; client_max_window_bits=", malformed},
		{"permessage-deflate; client_max_window_bits=, x", malformed},
		{"permessage-deflate client_max_window_bits", malformed},
		{"permessage-deflate, ;", malformed},
		{"permessage/deflate", malformed},
		{"permessage-deflate, x; y=\x01", malformed},
		{"permessage-deflate, caf\xc3\xa9", malformed},
		{"permessage-deflate\n;", malformed},
	}
	for _, tt := range tests {
		got, ok := transport.ChooseDeflate(strings.Split(tt.offer, "\n"))
		if !ok {
			got = malformed
		}
		if got != tt.want {
			t.Errorf("%q is answered with %q, want %q", tt.offer, got, tt.want)
		}
	}
	if got, ok := transport.ChooseDeflate(nil); got != declined || !ok {
		t.Errorf("no header is answered with %q, %v", got, ok)
	}
}

// Whatever a client offers, the answer is one that RFC 7692 allows, and the
// parser agrees with itself about white space.
func FuzzChooseDeflate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits")
	f.Add(`permessage-deflate; server_max_window_bits="15", x;y`)
	f.Fuzz(func(t *testing.T, offer string) {
		got, ok := transport.ChooseDeflate([]string{offer})
		if !ok && got != "" || got != "" && got != plainAnswer && got != windowAnswer {
			t.Fatalf("%q is answered with %q, %v", offer, got, ok)
		}
		if got != "" && !strings.Contains(offer, "permessage-deflate") {
			t.Fatalf("%q is granted", offer)
		}
		if again, ok2 := transport.ChooseDeflate([]string{" " + offer + ", "}); ok && (again != got || !ok2) {
			t.Fatalf("%q is answered with %q, with more space %q, %v", offer, got, again, ok2)
		}
	})
}

// The answer reaches the client, and the client's frames are then read so.
func TestNegotiation(t *testing.T) {
	offer := "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
	tests := []struct {
		name    string
		deflate bool
		lines   []string
		status  int
		want    string
	}{
		{"granted", true, []string{offer}, 101, plainAnswer},
		{"not offered", true, nil, 101, ""},
		{"declined", true, []string{offer + "=99"}, 101, ""},
		{"switched off", false, []string{offer}, 101, ""},
		{"malformed", true, []string{offer + "="}, 400, ""},
		{"malformed and switched off", false, []string{offer + "="}, 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Deflate = tt.deflate
			h := open(t, cfg, listenTCP(t))
			conn, err := h.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, change(tt.lines...))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Sec-WebSocket-Extensions"); resp.StatusCode != tt.status || got != tt.want {
				t.Errorf("answered with %d and %q, want %d and %q", resp.StatusCode, got, tt.status, tt.want)
			}
		})
	}
}
