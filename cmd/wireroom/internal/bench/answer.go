package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// maxAnswer is how much of the answer to a request is read that is no event.
const maxAnswer = 1 << 20

// errClosing is that a server closes a connection behind an answer, as it may.
var errClosing = errors.New("the server closes the connection behind its answer")

// maxAnswerHead is how many bytes the head of an answer may have.
const maxAnswerHead = 64 << 10

var (
	answerEnd    = []byte("\r\n\r\n")
	lineEnd      = []byte("\r\n")
	answerStart  = []byte("HTTP/1.1 ")
	answerLength = []byte("content-length")
	answerCoding = []byte("transfer-encoding")
	answerStay   = []byte("connection")
	sayClose     = []byte("close")
)

// nextAnswer is [framing.next] for answers to HTTP/1.1 requests. A body must
// have a declared length, as small answers have: the generator asks for events
// to be taken, and the answer is a receipt.
func nextAnswer(b []byte) (kind frameKind, body []byte, n int, err error) {
	head := bytes.Index(b, answerEnd)
	switch {
	case head < 0 && len(b) > maxAnswerHead:
		return 0, nil, 0, fmt.Errorf("an HTTP answer whose head has more than %d bytes", maxAnswerHead)
	case head < 0:
		return 0, nil, 0, nil
	case head < len(answerStart)+3 || !bytes.HasPrefix(b, answerStart):
		return 0, nil, 0, fmt.Errorf("expected an answer of HTTP/1.1, found %.80q", b)
	}
	length := -1
	if field := answerField(b[:head], answerLength); field != nil {
		if length, err = strconv.Atoi(string(field)); err != nil || length < 0 || length > maxFrame {
			return 0, nil, 0, fmt.Errorf("an HTTP answer with Content-Length %.40q, expected 0 to %d", field, maxFrame)
		}
	}
	if length < 0 {
		if coding := answerField(b[:head], answerCoding); coding != nil {
			return 0, nil, 0, fmt.Errorf("an HTTP answer with Transfer-Encoding %.40q, expected a Content-Length", coding)
		}
		return 0, nil, 0, fmt.Errorf("expected an HTTP answer with a Content-Length, found none in %.300q", b[:head])
	}
	if n = head + len(answerEnd) + length; len(b) < n {
		return 0, nil, 0, nil
	}
	return kindAnswer, b[:n], n, nil
}

// answerField returns the value of a field of a head, whose name is given in
// lower case; nil if it has none.
func answerField(head, name []byte) []byte {
	for {
		at := bytes.Index(head, lineEnd)
		if at < 0 {
			return nil
		}
		head = head[at+len(lineEnd):]
		if len(head) > len(name) && head[len(name)] == ':' && bytes.EqualFold(head[:len(name)], name) {
			value, _, _ := bytes.Cut(head[len(name)+1:], lineEnd)
			return bytes.TrimSpace(value)
		}
	}
}

// statusOf returns the status of an answer that nextAnswer took for one; 0 if
// it is no number.
func statusOf(answer []byte) uint64 {
	n, _ := strconv.ParseUint(string(answer[len(answerStart):len(answerStart)+3]), 10, 64)
	return n
}

// answerBody divides an answer into its body and whether the server closes the
// connection behind it.
func answerBody(answer []byte) (body []byte, last bool) {
	head := bytes.Index(answer, answerEnd)
	return answer[head+len(answerEnd):], bytes.EqualFold(answerField(answer[:head], answerStay), sayClose)
}

// refusedAnswer says what a server answered instead of taking an event.
func refusedAnswer(status int, body []byte) error {
	return fmt.Errorf("the server refused the event: %d %s: %s", status, http.StatusText(status), body[:min(len(body), 300)])
}
