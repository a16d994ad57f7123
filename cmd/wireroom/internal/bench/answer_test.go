package bench

import (
	"strings"
	"testing"
)

// Answers are told apart however they are cut, and what is no answer with a
// length is refused.
func TestNextAnswer(t *testing.T) {
	first := "HTTP/1.1 200 OK\r\nDate: now\r\ncontent-LENGTH:  3 \r\n\r\nabc"
	second := "HTTP/1.1 503 Service Unavailable\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n"
	both := []byte(first + second)
	for cut := range len(both) + 1 {
		_, body, n, err := nextAnswer(both[:cut])
		switch {
		case err != nil:
			t.Fatalf("cut at %d: %v", cut, err)
		case cut < len(first) && n != 0, cut >= len(first) && (n != len(first) || string(body) != first):
			t.Errorf("cut at %d: %d bytes %q", cut, n, body)
		}
	}
	if body, last := answerBody([]byte(first)); string(body) != "abc" || last || statusOf([]byte(first)) != 200 {
		t.Errorf("the body is %q, the last one %v, the status %d", body, last, statusOf([]byte(first)))
	}
	if body, last := answerBody([]byte(second)); len(body) != 0 || !last || statusOf([]byte(second)) != 503 {
		t.Errorf("the body is %q, the last one %v, the status %d", body, last, statusOf([]byte(second)))
	}
	for _, tt := range []struct{ answer, want string }{
		{"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n", "expected an HTTP answer with a Content-Length"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", `Transfer-Encoding "chunked"`},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", `Content-Length "-1"`},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "Content-Length"},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "expected an answer of HTTP/1.1"},
		{"HTTP/1.1 \r\n\r\n", "expected an answer of HTTP/1.1"},
		{strings.Repeat("x", maxAnswerHead+1), "whose head has more than"},
	} {
		if _, _, _, err := nextAnswer([]byte(tt.answer)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: %v, want %s", tt.answer, err, tt.want)
		}
	}
}

// A stranger's answers never make the reader read more than is there.
func FuzzNextAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:0\r\n\r\nHTTP/1.1 "))
	f.Add([]byte("HTTP/1.1 \r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, body, n, err := nextAnswer(b)
		if err != nil || n == 0 {
			return
		}
		if n > len(b) || len(body) != n {
			t.Fatalf("%d bytes of %d, of which %d are the answer", n, len(b), len(body))
		}
		statusOf(body)
		if rest, _ := answerBody(body); len(rest) > n {
			t.Fatalf("a body of %d bytes in an answer of %d", len(rest), n)
		}
	})
}
