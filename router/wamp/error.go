package wamp

import (
	"context"
	"errors"
	"fmt"
)

// Error URIs and close reasons that the router uses (WAMP "Predefined URIs").
const (
	URIInvalidURI          URI = "wamp.error.invalid_uri"
	URINoSuchProcedure     URI = "wamp.error.no_such_procedure"
	URIProcedureExists     URI = "wamp.error.procedure_already_exists"
	URINoSuchRegistration  URI = "wamp.error.no_such_registration"
	URINoSuchSubscription  URI = "wamp.error.no_such_subscription"
	URIInvalidArgument     URI = "wamp.error.invalid_argument"
	URIProtocolViolation   URI = "wamp.error.protocol_violation"
	URINotAuthorized       URI = "wamp.error.not_authorized"
	URIAuthorizationFailed URI = "wamp.error.authorization_failed"
	URIAuthenticationFail  URI = "wamp.error.authentication_failed"
	URINoAuthMethod        URI = "wamp.error.no_matching_auth_method"
	URINoSuchRealm         URI = "wamp.error.no_such_realm"
	URINoSuchRole          URI = "wamp.error.no_such_role"
	URINoSuchSession       URI = "wamp.error.no_such_session"
	URICanceled            URI = "wamp.error.canceled"
	URITimeout             URI = "wamp.error.timeout"
	URIUnavailable         URI = "wamp.error.unavailable"
	URIOptionNotAllowed    URI = "wamp.error.option_not_allowed"
	URIDiscloseMe          URI = "wamp.error.option_disallowed.disclose_me"
	URIPayloadSize         URI = "wamp.error.payload_size_exceeded"
	URIFeatureNotSupported URI = "wamp.error.feature_not_supported"
	URINoAvailableCallee   URI = "wamp.error.no_available_callee"
	URINetworkFailure      URI = "wamp.error.network_failure"
	URIHistoryUnavailable  URI = "wamp.error.history_unavailable"

	URICloseRealm      URI = "wamp.close.close_realm"
	URIGoodbyeAndOut   URI = "wamp.close.goodbye_and_out"
	URISystemShutdown  URI = "wamp.close.system_shutdown"
	URICloseKilled     URI = "wamp.close.killed"
	URICloseNormal     URI = "wamp.close.normal"
	URIInternal        URI = "wireroom.error.internal"
	URINoClient        URI = "wireroom.error.no_client"
	URIWrongEpoch      URI = "wireroom.error.wrong_epoch"
	URILimit           URI = "wireroom.error.limit"
	URIInvalidEvent    URI = "wireroom.error.invalid_event"
	URIInvalidQuery    URI = "wireroom.error.invalid_query"
	URINoSuchEvent     URI = "wireroom.error.no_such_publication"
	URIQueryBudget     URI = "wireroom.error.query_budget"
	URISessionChanged  URI = "wireroom.error.session_changed"
	URISessionExpired  URI = "wireroom.error.session_expired"
	URISessionRevoked  URI = "wireroom.error.session_revoked"
	URISlowConsumer    URI = "wireroom.error.slow_consumer"
	URIUnavailableHere URI = "wireroom.error.unavailable"
)

// An Error is a failure that is reported to a peer in an ERROR, ABORT or
// GOODBYE message.
//
// URI and Text are sent. Err is not: it is kept for the log, and may name
// files, hosts or credentials that the peer must not learn.
type Error struct {
	URI  URI    // names the kind of failure; never empty
	Text string // for a person to read; may be empty
	Err  error  // the cause; may be nil

	// Details, if not nil, is what an application can act on (class, field,
	// limit). It is sent as the ArgumentsKw of ERROR, or among the Details
	// of ABORT and GOODBYE, where its keys have to begin with an underscore.
	Details map[string]any
}

// Errors to compare with [errors.Is]. They match by URI alone.
var (
	ErrProtocolViolation = &Error{URI: URIProtocolViolation}
	ErrNotAuthorized     = &Error{URI: URINotAuthorized}
	ErrNoSuchProcedure   = &Error{URI: URINoSuchProcedure}
	ErrInvalidURI        = &Error{URI: URIInvalidURI}
)

// Errorf returns an [*Error] with the URI and the formatted text.
func Errorf(uri URI, format string, args ...any) *Error {
	return &Error{URI: uri, Text: fmt.Sprintf(format, args...)}
}

// Error returns URI, text and cause, for logs.
func (e *Error) Error() string {
	s := string(e.URI)
	if e.Text != "" {
		s += ": " + e.Text
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an [*Error] with the same URI and nothing else
// set, so that [ErrNotAuthorized] matches every not_authorized failure.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Text == "" && t.Err == nil && t.URI == e.URI
}

// AsError returns err as an [*Error]: the one that err is or wraps;
// [context.Canceled] and [context.DeadlineExceeded] under their URIs; anything
// else hidden behind [URIInternal].
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{URI: URITimeout, Text: "timed out", Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{URI: URICanceled, Text: "canceled", Err: err}
	}
	return &Error{URI: URIInternal, Text: "internal error", Err: err}
}
