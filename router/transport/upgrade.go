package transport

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router"
	"github.com/wireroom/wireroom/router/wamp"
)

// Header fields as they are in an [http.Header], to be looked up without
// working that out each time.
const (
	headerKey        = "Sec-Websocket-Key"
	headerVersion    = "Sec-Websocket-Version"
	headerProtocol   = "Sec-Websocket-Protocol"
	headerExtensions = "Sec-Websocket-Extensions"
)

// keyGUID is what RFC 6455, 1.3 appends to the key of a handshake.
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// subprotocols is what the server speaks, for messages to people. Each has a
// twin with batchedSuffix.
var subprotocols = strings.Join([]string{
	wamp.JSON.Subprotocol(), wamp.MessagePack.Subprotocol(), wamp.CBOR.Subprotocol(),
}, ", ")

// A refusal is the answer to a request that does not become a WebSocket.
type refusal struct {
	status int
	text   string
	header [2]string // one header and its value; may be empty
}

// The terms are what was agreed upon for a connection.
type terms struct {
	serializer wamp.Serializer
	batched    bool   // the subprotocol is one with batches
	extensions string // the value of Sec-WebSocket-Extensions in the answer; may be empty
	raw        int    // bytes of a message that a RawSocket peer takes; 0: WebSocket
	limit      int    // raw: bytes of a message that the server takes
	identity   any
}

// ServeHTTP upgrades the request to a WebSocket (RFC 6455, 4.2) and returns;
// the connection is served by a goroutine of the server. A request that is no
// proper upgrade is answered with a status and a text that says what is wrong.
// Set-Cookie headers that are already in w are sent with the answer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	no := checkHandshake(r)
	if no != nil {
		s.refuse(w, r, no)
		return
	}
	t, no := s.consider(r)
	if no != nil {
		s.refuse(w, r, no)
		return
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.log.Error("connection cannot be upgraded", "peer", r.RemoteAddr, "err", err)
		s.refuse(w, r, &refusal{status: http.StatusInternalServerError, text: "this connection cannot be upgraded"})
		return
	}
	c, err := s.acceptHijacked(nc, brw, w.Header()["Set-Cookie"], r, t)
	if err != nil {
		s.acceptFailed(nc, r, err)
		return
	}
	// A goroutine of its own, so that the stack of the HTTP handler and the
	// buffers of the HTTP server are freed.
	peer := s.peerOf(r, t)
	go c.begin(&peer)
}

// acceptHijacked accepts a connection that the HTTP server has given away.
func (s *Server) acceptHijacked(nc net.Conn, brw *bufio.ReadWriter, cookies []string, r *http.Request, t terms) (*conn, error) {
	// A client may send frames right behind its request.
	head, err := brw.Reader.Peek(brw.Reader.Buffered())
	if err != nil {
		return nil, fmt.Errorf("read what came with the upgrade request: %w", err)
	}
	var in inbox
	in.put(head)
	nc, head = unreplayed(nc)
	in.put(head)
	return s.accept(nc, newWire(nc), in, cookies, r, t)
}

// acceptFailed closes a connection that could not be accepted.
func (s *Server) acceptFailed(nc net.Conn, r *http.Request, err error) {
	s.stats.refused.Add(1)
	s.log.LogAttrs(context.Background(), slog.LevelDebug, "upgrade failed",
		slog.String("peer", r.RemoteAddr), slog.Any("err", err))
	nc.Close()
}

// accept answers the upgrade request and makes the connection, which the
// caller has to begin. in holds what came behind the request, and belongs to
// the connection from now on; cookies go with the answer.
func (s *Server) accept(nc net.Conn, w wire, in inbox, cookies []string, r *http.Request, t terms) (*conn, error) {
	if err := writeFirst(w, answer(r, t, cookies), s.cfg.UpgradeTimeout); err != nil {
		in.drop()
		return nil, fmt.Errorf("answer the upgrade request: %w", err)
	}
	if tcp, ok := socketOf(nc).(*net.TCPConn); ok {
		// Pings find dead peers, and sooner. Failure costs a few packets,
		// or leaves a dead peer where it is.
		_ = tcp.SetKeepAlive(s.cfg.PingInterval == 0)
	}
	c := s.newConn(w, in, t)
	if c == nil {
		in.drop()
		return nil, errors.New("the server is shutting down")
	}
	return c, nil
}

// peerOf returns what the router is told of who sent r.
func (s *Server) peerOf(r *http.Request, t terms) router.Peer {
	peer := router.Peer{
		Serializer: t.serializer,
		Framing:    WebSocket,
		Transport:  "websocket",
		RemoteAddr: r.RemoteAddr,
		Secure:     isSecure(r),
		Identity:   t.identity,
		ChannelID:  channelOf(r.TLS),
	}
	switch {
	case t.batched:
		peer.Framing = WebSocketBatched
	case t.extensions != "":
		peer.Framing = s.deflate
	}
	return peer
}

// isSecure reports whether r came encrypted, as far as is known.
func isSecure(r *http.Request) bool {
	return r.URL.Scheme == "https" || r.URL.Scheme == "" && r.TLS != nil
}

// writeFirst writes b on a connection that nothing was written on yet, which
// takes it at once as a rule.
func writeFirst(w wire, b []byte, timeout time.Duration) error {
	n, err := w.tryWrite([][]byte{b})
	if err == nil && n < len(b) {
		err = w.write([][]byte{b[n:]}, time.Now().Add(timeout))
	}
	return err
}

// consider decides about an upgrade request that has passed checkHandshake.
func (s *Server) consider(r *http.Request) (t terms, no *refusal) {
	if text := checkOrigin(r, s.origins); text != "" {
		s.stats.badOrigin.Add(1)
		return t, &refusal{status: http.StatusForbidden, text: text}
	}
	var ok bool
	if t.serializer, t.batched, ok = chooseSerializer(r); !ok {
		return t, &refusal{
			status: http.StatusBadRequest,
			text: fmt.Sprintf("the Sec-WebSocket-Protocol header must offer one of %s, not %q",
				subprotocols, strings.Join(r.Header[headerProtocol], ", ")),
		}
	}
	if t.extensions, ok = chooseDeflate(r.Header[headerExtensions]); !ok {
		return t, &refusal{
			status: http.StatusBadRequest,
			text: fmt.Sprintf("the Sec-WebSocket-Extensions header must be as in RFC 6455, section 9.1, not %q",
				strings.Join(r.Header[headerExtensions], ", ")),
		}
	}
	if s.deflate == nil || t.batched { // a framing for both would be one more for each publication
		t.extensions = ""
	}
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return t, &refusal{
			status: http.StatusServiceUnavailable, text: "the server is shutting down",
			header: [2]string{"Retry-After", "5"},
		}
	}
	if no := s.turnAway(); no != nil {
		return t, no
	}
	if s.cfg.Identify == nil {
		return t, nil
	}
	var err error
	if t.identity, err = s.cfg.Identify(r); err == nil {
		return t, nil
	}
	if e, ok := errors.AsType[*wamp.Error](err); ok && e.URI != wamp.URIInternal {
		return t, &refusal{status: http.StatusForbidden, text: e.Text}
	}
	s.log.Error("peer of an upgrade request cannot be identified", "peer", r.RemoteAddr, "err", err)
	return t, &refusal{status: http.StatusInternalServerError, text: "internal error"}
}

// turnAway refuses the upgrade if too many come at the same time.
func (s *Server) turnAway() *refusal {
	if s.admit == nil {
		return nil
	}
	after, ok := s.admit()
	if ok {
		return nil
	}
	s.stats.tooMany.Add(1)
	seconds := (after + time.Second - 1) / time.Second // the header has whole ones
	return &refusal{
		status: http.StatusServiceUnavailable, text: "too many connections come at the same time; try again later",
		header: [2]string{"Retry-After", strconv.FormatInt(int64(seconds), 10)},
	}
}

// checkHandshake checks what RFC 6455, 4.2.1 asks of the request, except for
// the origin and the subprotocol.
func checkHandshake(r *http.Request) *refusal {
	keys := r.Header[headerKey]
	versions := r.Header[headerVersion]
	switch {
	case r.ProtoMajor > 1: // in which there is no Upgrade
		return &refusal{status: http.StatusHTTPVersionNotSupported, text: "a WebSocket is opened over HTTP/1.1, not " + r.Proto}
	case !hasToken(r.Header, "Upgrade", "websocket") || !hasToken(r.Header, "Connection", "upgrade"):
		return &refusal{
			status: http.StatusUpgradeRequired, text: "this is a WebSocket: connect with a WAMP client, subprotocol " + subprotocols,
			header: [2]string{"Upgrade", "websocket"},
		}
	case r.Method != http.MethodGet:
		return &refusal{
			status: http.StatusMethodNotAllowed, text: "a WebSocket is opened with GET, not " + r.Method,
			header: [2]string{"Allow", http.MethodGet},
		}
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return &refusal{status: http.StatusHTTPVersionNotSupported, text: "a WebSocket is opened over HTTP/1.1, not " + r.Proto}
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return &refusal{status: http.StatusBadRequest, text: "a request to open a WebSocket must not have a body"}
	case len(versions) != 1 || versions[0] != "13":
		return &refusal{
			status: http.StatusUpgradeRequired, text: fmt.Sprintf("Sec-WebSocket-Version must be 13, not %q", strings.Join(versions, ", ")),
			header: [2]string{"Sec-WebSocket-Version", "13"},
		}
	case len(keys) != 1 || !validKey(keys[0]):
		return &refusal{status: http.StatusBadRequest, text: "Sec-WebSocket-Key must be one value, 16 bytes in base64"}
	}
	return nil
}

func validKey(key string) bool {
	key = strings.TrimSpace(key)
	if len(key) != 24 { // of 16 bytes
		return false
	}
	var in [24]byte
	var raw [18]byte
	copy(in[:], key)
	n, err := base64.StdEncoding.Decode(raw[:], in[:])
	return err == nil && n == 16
}

// hasToken reports whether a comma-separated header has the token, in any case.
func hasToken(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for t := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// chooseSerializer returns the first subprotocol of the client's list that the
// server speaks.
func chooseSerializer(r *http.Request) (s wamp.Serializer, batched, ok bool) {
	for _, value := range r.Header[headerProtocol] {
		for name := range strings.SplitSeq(value, ",") {
			if s, batched, ok = subprotocolOf(strings.TrimSpace(name)); ok {
				return s, batched, true
			}
		}
	}
	return 0, false, false
}

// answer returns the response that grants an upgrade.
func answer(r *http.Request, t terms, cookies []string) []byte {
	key := strings.TrimSpace(r.Header[headerKey][0]) // checkHandshake has seen to it
	digest := sha1.Sum(append(append(make([]byte, 0, 64), key...), keyGUID...))
	b := append(make([]byte, 0, 256), "HTTP/1.1 101 Switching Protocols\r\n"+
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, digest[:])
	b = append(b, "\r\nSec-WebSocket-Protocol: "...)
	b = append(b, t.serializer.Subprotocol()...)
	if t.batched {
		b = append(b, batchedSuffix...)
	}
	if t.extensions != "" {
		b = append(b, "\r\nSec-WebSocket-Extensions: "...)
		b = append(b, t.extensions...)
	}
	b = append(b, "\r\n"...)
	for _, c := range cookies {
		b = fmt.Appendf(b, "Set-Cookie: %s\r\n", strings.NewReplacer("\r", " ", "\n", " ").Replace(c))
	}
	return append(b, "\r\n"...)
}

// refuse answers a request that is not upgraded.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	s.refused(r, no)
	if no.header[0] != "" {
		w.Header().Set(no.header[0], no.header[1])
	}
	http.Error(w, no.text, no.status)
}

// refused counts and logs a refusal.
func (s *Server) refused(r *http.Request, no *refusal) {
	s.stats.refused.Add(1)
	s.log.LogAttrs(r.Context(), slog.LevelDebug, "upgrade refused",
		slog.String("peer", r.RemoteAddr), slog.Int("status", no.status), slog.String("why", no.text))
}
