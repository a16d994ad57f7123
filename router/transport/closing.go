package transport

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/wireroom/wireroom/router/wamp"
)

// A closeCode is the status in a close frame (RFC 6455, 7.4, and the IANA
// registry "WebSocket Close Code Number").
type closeCode uint16

const (
	closeNone      closeCode = 0 // the close frame has no status
	closeNormal    closeCode = 1000
	closeGoingAway closeCode = 1001
	closeProtocol  closeCode = 1002
	closeDataType  closeCode = 1003
	closeBadData   closeCode = 1007
	closePolicy    closeCode = 1008
	closeTooBig    closeCode = 1009
	closeInternal  closeCode = 1011
	closeTryLater  closeCode = 1013
)

// sendable reports whether a peer may put c into a close frame: 1004 to 1006
// and 1015 are not to be sent, the rest of 1000 to 2999 is unassigned.
func (c closeCode) sendable() bool {
	switch {
	case c >= 1004 && c <= 1006:
		return false
	case c >= 1000 && c <= 1014:
		return true
	default:
		return c >= 3000 && c <= 4999
	}
}

// A violation is what a peer did against RFC 6455, WAMP's RawSocket or a limit.
type violation struct {
	code closeCode
	text string // for the peer and the log
}

func violates(code closeCode, format string, args ...any) *violation {
	return &violation{code: code, text: fmt.Sprintf(format, args...)}
}

// err returns what the session is ended with. wire is what the peer speaks.
func (v *violation) err(wire string) *wamp.Error {
	uri := wamp.URIProtocolViolation
	if v.code == closeTooBig {
		uri = wamp.URIPayloadSize
	}
	return &wamp.Error{URI: uri, Text: wire + ": " + v.text}
}

// closeFrame returns a close frame of a server. The reason is cut to what a
// control frame holds.
func closeFrame(code closeCode, reason string) []byte {
	if code == closeNone {
		return controlFrame(opClose, nil)
	}
	const most = maxControl - 2
	if len(reason) > most {
		cut := most
		for !utf8.RuneStart(reason[cut]) {
			cut--
		}
		reason = reason[:cut]
	}
	payload := make([]byte, 2, maxControl)
	binary.BigEndian.PutUint16(payload, uint16(code))
	return controlFrame(opClose, append(payload, reason...))
}

// parseClose checks the payload of a peer's close frame and returns the status
// code in it.
func parseClose(payload []byte) (code closeCode, bad *violation) {
	switch {
	case len(payload) == 0:
		return closeNone, nil
	case len(payload) == 1:
		return closeNone, violates(closeProtocol, "a close frame has 1 byte, which is no status code")
	}
	code = closeCode(binary.BigEndian.Uint16(payload))
	switch {
	case !code.sendable():
		return closeNone, violates(closeProtocol, "a close frame has the status code %d, which must not be sent", code)
	case !utf8.Valid(payload[2:]):
		return closeNone, violates(closeBadData, "the reason in a close frame is not UTF-8")
	}
	return code, nil
}

// codeFor returns the status code that fits why a session ended.
func codeFor(why *wamp.Error) closeCode {
	if why == nil {
		return closeNormal
	}
	switch why.URI {
	case wamp.URIGoodbyeAndOut, wamp.URICloseNormal, wamp.URICloseRealm, wamp.URICloseKilled:
		return closeNormal
	case wamp.URISystemShutdown:
		return closeGoingAway
	case wamp.URIProtocolViolation:
		return closeProtocol
	case wamp.URIPayloadSize:
		return closeTooBig
	case wamp.URIInternal:
		return closeInternal
	case wamp.URIUnavailable, wamp.URIUnavailableHere:
		return closeTryLater
	default: // limits, timeouts, whoever may not be here
		return closePolicy
	}
}

// reasonFor returns the text of a close frame.
func reasonFor(why *wamp.Error) string {
	switch {
	case why == nil:
		return ""
	case why.Text == "":
		return string(why.URI)
	default:
		return why.Text
	}
}
