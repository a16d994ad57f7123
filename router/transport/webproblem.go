package transport

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A webProblem is why a request for an event stream is refused (RFC 9457).
type webProblem struct {
	status int
	detail string
	uri    wamp.URI      // the error of WAMP; may be empty
	topic  string        // that it is about; may be empty
	retry  time.Duration // when to come back; 0: it is not said
}

// write answers with the problem.
func (p *webProblem) write(w http.ResponseWriter) {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
		Error  string `json:"error,omitempty"`
		Topic  string `json:"topic,omitempty"`
	}{"about:blank", http.StatusText(p.status), p.status, p.detail, string(p.uri), p.topic})
	if err != nil {
		panic("transport: strings cannot be written as JSON: " + err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="wireroom"`) // RFC 9110 section 11.6.1: a 401 has it
	}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.FormatFloat(math.Ceil(p.retry.Seconds()), 'f', 0, 64))
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(append(body, '\n')) // a peer that is gone can't be told so
}

// problemOf returns a refusal as a problem.
func problemOf(no *refusal) *webProblem {
	p := &webProblem{status: no.status, detail: no.text}
	if seconds, err := strconv.Atoi(no.header[1]); err == nil && no.header[0] == "Retry-After" {
		p.retry = time.Duration(seconds) * time.Second
	}
	return p
}

// notJoined returns why a client may not join, from ABORT or GOODBYE.
func notJoined(reason wamp.URI, details map[string]any) *webProblem {
	p := &webProblem{status: http.StatusForbidden, uri: reason}
	p.detail, _ = details["message"].(string)
	p.retry = retryAfter(details)
	switch reason {
	case wamp.URINotAuthorized, wamp.URIAuthenticationFail, wamp.URINoAuthMethod, wamp.URINoSuchRole:
		p.status = http.StatusUnauthorized
	case wamp.URINoSuchRealm:
		p.status = http.StatusNotFound
	case wamp.URIInvalidURI, wamp.URIProtocolViolation:
		p.status = http.StatusBadRequest
	case wamp.URIUnavailable, wamp.URIUnavailableHere, wamp.URISystemShutdown, wamp.URICloseRealm, wamp.URITimeout:
		p.status = http.StatusServiceUnavailable
	case wamp.URIInternal:
		p.status = http.StatusInternalServerError
	}
	return p
}

// retryAfter returns when a peer is told to come back, or 0.
func retryAfter(details map[string]any) time.Duration {
	var seconds float64
	switch n := details["_retry_after"].(type) {
	case float64:
		seconds = n
	case int64:
		seconds = float64(n)
	case uint64:
		seconds = float64(n)
	}
	if !(seconds > 0 && seconds <= 86400) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// notSubscribed returns why a client may not have the events of a topic, from
// ERROR.
func notSubscribed(topic string, m *wamp.ErrorMessage) *webProblem {
	p := &webProblem{status: http.StatusInternalServerError, uri: m.Error, topic: topic}
	if args, err := m.Payload.DecodeArgs(); err == nil && len(args) > 0 {
		p.detail, _ = args[0].(string)
	}
	switch m.Error {
	case wamp.URINotAuthorized:
		p.status = http.StatusForbidden
	case wamp.URIInvalidURI, wamp.URIInvalidArgument, wamp.URIOptionNotAllowed, wamp.URILimit,
		wamp.URIInvalidQuery, wamp.URIQueryBudget:
		p.status = http.StatusBadRequest
	case wamp.URIUnavailable, wamp.URIUnavailableHere, wamp.URIAuthorizationFailed:
		p.status = http.StatusServiceUnavailable
	}
	return p
}
