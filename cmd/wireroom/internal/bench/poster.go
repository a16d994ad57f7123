//go:build linux

package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// requests makes the requests of one way in. It is never changed, but for the
// number of the last event.
type requests struct {
	via     string
	url     *url.URL
	address string
	head    string // up to the value of Content-Length
	open    string // of the body, up to the first event
	before  string // of an event, up to the number
	after   string // the rest of it
	close   string // of the body, behind the last event
	batch   int    // events in a request

	number atomic.Uint64 // of the last event
}

// newRequests returns the requests to the server at base, with batch events in
// each.
func newRequests(base *url.URL, via string, batch int, o *options) *requests {
	r := &requests{via: via, url: base, address: base.Host, batch: batch}
	if base.Port() == "" {
		r.address = net.JoinHostPort(base.Hostname(), map[string]string{"http": "80", "https": "443"}[base.Scheme])
	}
	text := strings.Repeat("x", o.size)
	path, kind := strings.TrimRight(base.Path, "/"), "application/json"
	auth := "Authorization: Bearer " + o.key + "\r\n"
	if via == viaXMLRPC {
		path, kind, auth = path+"/RPC2", "text/xml", ""
		r.before = `<?xml version="1.0"?><methodCall><methodName>event.publish</methodName><params>` +
			`<param><value><string>` + o.key + `</string></value></param>` +
			`<param><value><string>` + o.class + `</string></value></param>` +
			`<param><value><struct><member><name>number</name><value><int>`
		r.after = `</int></value></member><member><name>text</name><value><string>` + text +
			`</string></value></member></struct></value></param></params></methodCall>`
	} else {
		path += "/events"
		r.before = `{"class":"` + o.class + `","data":{"number":`
		r.after = `,"text":"` + text + `"}}`
		if batch > 1 {
			r.open, r.close = "[", "]"
		}
	}
	r.head = "POST " + path + " HTTP/1.1\r\nHost: " + base.Host + "\r\nUser-Agent: wireroom-bench\r\n" +
		"Content-Type: " + kind + "\r\n" + auth + "Content-Length: "
	return r
}

// eventNumber is the least number of an event. All have as many digits, and
// fit the 32 bits of XML-RPC's int.
const eventNumber = 1_000_000_000

// append appends a request.
func (r *requests) append(dst []byte) []byte {
	const digits = 10
	size := len(r.open) + r.batch*(len(r.before)+digits+len(r.after)+1) - 1 + len(r.close)
	dst = append(dst, r.head...)
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, "\r\n\r\n"...)
	dst = append(dst, r.open...)
	for i := range r.batch {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, r.before...)
		dst = strconv.AppendUint(dst, eventNumber+r.number.Add(1)%eventNumber, 10)
		dst = append(dst, r.after...)
	}
	return append(dst, r.close...)
}

// check reports whether an answer acknowledges the events.
func (r *requests) check(status int, body []byte) error {
	refused := status < 200 || status > 299
	if r.via == viaXMLRPC {
		refused = refused || !bytes.Contains(body, []byte("<params>"))
	}
	if refused {
		return refusedAnswer(status, body)
	}
	return nil
}

// dial opens a connection.
func (r *requests) dial(ctx context.Context, lg *login) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if r.url.Scheme == "https" {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: lg.insecure, RootCAs: lg.roots}}
		return d.DialContext(ctx, "tcp", r.address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", r.address)
}

// try posts once and waits for the acknowledgement: it shows whether the server
// takes such events at all.
func (r *requests) try(ctx context.Context, lg *login) error {
	conn, err := r.dial(ctx, lg)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	s := &session{conn: conn, framing: frameHTTP}
	_ = conn.SetDeadline(time.Now().Add(joinTimeout))
	if _, err := conn.Write(r.append(nil)); err != nil {
		return fmt.Errorf("post to %s: %w", r.url, err)
	}
	for {
		_, answer, n, err := s.framing.next(s.unread)
		if err == nil && n == 0 {
			err = s.fill()
		}
		switch {
		case err != nil:
			return fmt.Errorf("answer of %s: %w", r.url, err)
		case n > 0:
			body, _ := answerBody(answer)
			return r.check(int(statusOf(answer)), body)
		}
	}
}

// A poster posts one request after the other over a connection. It belongs to
// its loop.
type poster struct {
	requests *requests
	began    int64        // when the request under way was written
	lost     chan *poster // takes posters whose connection has ended; never closed
}

// post writes the next request.
func (p *poster) post(to *peer, now int64) {
	p.began = now
	to.out = p.requests.append(to.out)
}

func (p *poster) receive(from *peer, status uint64, _, answer []byte, now int64) {
	l := from.loop
	body, last := answerBody(answer)
	if err := p.requests.check(int(status), body); err != nil {
		l.fail(err)
	} else {
		for range p.requests.batch {
			l.latency.record(now - p.began)
		}
		l.measured += uint64(p.requests.batch)
		l.last = now
	}
	if last {
		from.end(errClosing)
		return
	}
	p.post(from, now)
}

// ended has a new connection made.
func (p *poster) ended(*peer, error) { p.lost <- p }
