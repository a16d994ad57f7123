package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

var (
	errMethod  = errors.New("expected the method POST or PUT")
	errTimeout = errors.New("the time for an answer is over")
)

// checkType returns an error for a media type that is not that of JSON.
func checkType(value string) error {
	if value == "" || value == "application/json" {
		return nil
	}
	media, params, err := mime.ParseMediaType(value)
	charset := strings.ToLower(params["charset"])
	if err == nil && media == "application/json" && (charset == "" || charset == "utf-8" || charset == "utf8") {
		return nil
	}
	return &ingest.Error{
		Kind: ingest.BadRequest, Field: "Content-Type", Expected: "application/json in UTF-8",
		Found: strconv.Quote(ingest.Clip(value)), Index: -1,
	}
}

// appendResult appends the answer to a call. A result without anything is one
// null, as a client of WAMP has it.
func appendResult(dst []byte, p Payload) []byte {
	hasArgs, hasKwArgs := !empty(p.Args), !empty(p.KwArgs)
	if !hasArgs && !hasKwArgs {
		return append(dst, `{"args":[null]}`...)
	}
	dst = append(dst, '{')
	if hasArgs {
		dst = append(append(dst, `"args":`...), p.Args...)
	}
	if hasArgs && hasKwArgs {
		dst = append(dst, ',')
	}
	if hasKwArgs {
		dst = append(append(dst, `"kwargs":`...), p.KwArgs...)
	}
	return append(dst, '}')
}

// empty reports whether a list or dictionary in JSON has nothing in it.
func empty(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) < 2 || len(bytes.TrimSpace(text[1:len(text)-1])) == 0
}

// failure returns the body of an answer without success.
func failure(f *Failure) []byte {
	args, kwargs := f.Payload.Args, f.Payload.KwArgs
	if args == nil {
		args = []byte("[]")
	}
	if kwargs == nil {
		kwargs = []byte("{}")
	}
	uri, _ := json.Marshal(f.URI) // a string never fails
	b := append([]byte(`{"error":`), uri...)
	b = append(append(b, `,"args":`...), args...)
	b = append(append(b, `,"kwargs":`...), kwargs...)
	return append(b, '}')
}

// fail answers a request that had no success, and logs what the peer does not
// learn.
func (b *Bridge) fail(w http.ResponseWriter, r *http.Request, err error) {
	if f, ok := errors.AsType[*Failure](err); ok {
		b.failed.Add(1)
		write(w, http.StatusOK, failure(f))
		return
	}
	b.refused.Add(1)
	switch {
	case err == errMethod:
		w.Header().Set("Allow", "POST, PUT")
		write(w, http.StatusMethodNotAllowed, failure(&Failure{URI: err.Error()}))
		return
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		write(w, http.StatusOK, failure(&Failure{URI: "wamp.error.timeout", Payload: Payload{Args: []byte(`["the call took too long"]`)}}))
		return
	case r.Context().Err() != nil:
		return // nobody is there to be told
	}
	e := ingest.AsError(err)
	switch e.Kind {
	case ingest.Internal:
		b.log.LogAttrs(r.Context(), slog.LevelError, "a request failed", slog.String("path", r.URL.Path), slog.Any("err", err))
		write(w, http.StatusInternalServerError, failure(&Failure{URI: "wamp.error.runtime_error", Payload: Payload{Args: []byte(`["internal error"]`)}}))
		return
	case ingest.Unavailable:
		b.log.LogAttrs(r.Context(), slog.LevelWarn, "a request was refused for now", slog.String("path", r.URL.Path), slog.Any("err", err))
		w.Header().Set("Retry-After", ingest.RetryAfterSeconds(max(e.RetryAfter, time.Second)))
	case ingest.NotAuthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="wireroom bridge"`)
	}
	write(w, statusOf(e.Kind), failure(&Failure{URI: e.Detail()}))
}

// statusOf returns what Crossbar answers, where it has an answer.
func statusOf(kind ingest.Kind) int {
	switch kind {
	case ingest.NotAuthorized:
		return http.StatusUnauthorized
	case ingest.Forbidden:
		return http.StatusForbidden
	case ingest.Conflict:
		return http.StatusConflict
	case ingest.TooLarge:
		return http.StatusRequestEntityTooLarge
	case ingest.Timeout:
		return http.StatusRequestTimeout
	case ingest.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a peer that is gone can't be told so
}
