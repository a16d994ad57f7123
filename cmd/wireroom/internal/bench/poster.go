//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// postTimeout is how long one answer may take.
const postTimeout = 30 * time.Second

// maxAnswer is how much of an answer is read.
const maxAnswer = 1 << 20

// requests makes the requests of one way in. It is never changed.
type requests struct {
	via     string
	url     *url.URL
	head    string // up to the value of Content-Length
	before  string // of the body, up to the number
	after   string // the rest of it
	address string
}

// newRequests returns the requests to the server at base.
func newRequests(base *url.URL, via string, o *options) *requests {
	r := &requests{via: via, url: base, address: base.Host}
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
	}
	r.head = "POST " + path + " HTTP/1.1\r\nHost: " + base.Host + "\r\nUser-Agent: wireroom-bench\r\n" +
		"Content-Type: " + kind + "\r\n" + auth + "Content-Length: "
	return r
}

// append appends the request with the event of this number, which must fit
// the 32 bits of XML-RPC's int.
func (r *requests) append(dst []byte, number uint64) []byte {
	digits := strconv.FormatUint(number, 10)
	dst = append(dst, r.head...)
	dst = strconv.AppendInt(dst, int64(len(r.before)+len(digits)+len(r.after)), 10)
	dst = append(dst, "\r\n\r\n"...)
	dst = append(dst, r.before...)
	dst = append(dst, digits...)
	return append(dst, r.after...)
}

// check reports whether an answer acknowledges the event.
func (r *requests) check(status int, body []byte) error {
	refused := status < 200 || status > 299
	if r.via == viaXMLRPC {
		refused = refused || !bytes.Contains(body, []byte("<params>"))
	}
	if !refused {
		return nil
	}
	return fmt.Errorf("the server refused the event: %d %s: %s", status, http.StatusText(status), body[:min(len(body), 300)])
}

// A poster posts one event after the other. One goroutine uses it.
type poster struct {
	office *postOffice
	conn   net.Conn // nil: not connected
	in     *bufio.Reader
	out    []byte
}

// run posts until ctx is done.
func (p *poster) run(ctx context.Context) {
	defer p.close()
	for ctx.Err() == nil {
		began := clock()
		counts := p.office.measuring.Load()
		err := p.post(ctx)
		if ctx.Err() != nil {
			return
		}
		// What was begun or ended outside the measured time is not in it.
		counts = counts && p.office.measuring.Load()
		p.office.mu.Lock()
		switch {
		case err != nil:
			p.office.lastErr = err
			if counts {
				p.office.failed++
			}
		case counts:
			p.office.latency.record(clock() - began)
		}
		p.office.mu.Unlock()
		if err != nil {
			p.close()
			_ = pause(ctx, 10*time.Millisecond) // do not spin while the server is away
		}
	}
}

// post posts one event and waits for the acknowledgement.
func (p *poster) post(ctx context.Context) error {
	r := p.office.requests
	if p.conn == nil {
		if err := p.connect(ctx); err != nil {
			return err
		}
	}
	// A run that is interrupted does not wait for an answer.
	conn := p.conn
	_ = conn.SetDeadline(time.Now().Add(postTimeout))
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	p.out = r.append(p.out[:0], p.office.number.Add(1)&0x7fffffff)
	if _, err := p.conn.Write(p.out); err != nil {
		return fmt.Errorf("post to %s: %w", r.url, err)
	}
	resp, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return fmt.Errorf("answer of %s: %w", r.url, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("answer of %s: %w", r.url, err)
	}
	if resp.Close {
		p.close()
	}
	return r.check(resp.StatusCode, body)
}

// connect opens a connection.
func (p *poster) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	var err error
	if p.office.requests.url.Scheme == "https" {
		p.conn, err = new(tls.Dialer).DialContext(ctx, "tcp", p.office.requests.address)
	} else {
		p.conn, err = new(net.Dialer).DialContext(ctx, "tcp", p.office.requests.address)
	}
	if err != nil {
		p.conn = nil
		return err
	}
	p.in = bufio.NewReader(p.conn)
	return nil
}

// close closes the connection, if there is one.
func (p *poster) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}
