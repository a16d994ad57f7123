package interop_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// startFront runs a proxy in the foreground until the end of the test, with the
// configuration in a file, and waits until it listens at addr.
func startFront(t *testing.T, config, addr, program string, args ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "proxy.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(logBuffer)
	cmd := exec.Command(program, append(args, file)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // which reports the signal
		if t.Failed() {
			t.Logf("%s said:\n%s", program, log.String())
		}
	})
	await(t, program+" listens", func(context.Context) bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// behind runs a gateway that believes the proxy on the loopback interface.
func behind(t *testing.T, proxy string, ready func(g *gateway) func(context.Context) bool) *gateway {
	t.Helper()
	dir := t.TempDir()
	g := &gateway{addr: freeAddr(t), config: filepath.Join(dir, "wireroom.yaml"), log: new(logBuffer)}
	text := fmt.Sprintf(`
listen:
  http: %s
  proxy: {from: 127.0.0.1, %s}
store: file:wireroom.db
roles: {anonymous: {subscribe: ["*"], call: ["wireroom.*"]}}
`, g.addr, proxy)
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.probe = ready(g)
	g.run(t, "serve", "--log-level", "debug", "--config", g.config)
	return g
}

// refusedJoin joins by WebSocket in a way that is refused, so that the log of
// the gateway names the client.
func refusedJoin(t *testing.T, addr string, header http.Header) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"wamp.2.json"}}
	conn, _, err := d.DialContext(t.Context(), "ws://"+addr+"/ws", header)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`[1,"realm1",{"authmethods":["wampcra"],"roles":{"caller":{}}}]`)); err != nil {
		t.Fatal(err)
	}
	if _, msg, err := conn.ReadMessage(); err != nil || !strings.Contains(string(msg), "wamp.error.no_matching_auth_method") {
		t.Fatalf("HELLO is answered with %s, %v", msg, err)
	}
}

// Behind nginx, as docs/configuration.md has it, the client is who nginx says,
// whatever the client itself has written; pages and WebSockets work.
func TestNginx(t *testing.T) {
	program := need(t, cmp.Or(os.Getenv("NGINX"), "/usr/sbin/nginx"))
	g := behind(t, "headers: x-forwarded", func(*gateway) func(context.Context) bool { return nil })
	addr, dir := freeAddr(t), t.TempDir()
	startFront(t, fmt.Sprintf(`
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
    server {
        listen %[2]s;
        location / {
            proxy_pass http://%[3]s;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For "$http_x_forwarded_for, 192.0.2.7";
            proxy_set_header X-Forwarded-Proto https;
            proxy_read_timeout 2m;
        }
    }
}
`, dir, addr, g.addr), addr, program, "-p", dir, "-e", "stderr", "-c")
	refusedJoin(t, addr, http.Header{"X-Forwarded-For": {"198.51.100.66"}})
	await(t, "the log names the client that nginx names", func(context.Context) bool {
		return strings.Contains(g.log.String(), "peer=192.0.2.7:0")
	})
	if strings.Contains(g.log.String(), "198.51.100.66") {
		t.Error("the log names somebody whom the client has made up")
	}
	resp, err := http.Post("http://"+addr+"/session", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if cookie := resp.Header.Get("Set-Cookie"); resp.StatusCode != http.StatusOK || !strings.Contains(cookie, "; Secure") {
		t.Errorf("POST /session: %v, cookie %q; want one for TLS", resp.Status, cookie)
	}
}

// Behind HAProxy, as docs/configuration.md has it, everything that the port
// speaks gets through, and the client is who HAProxy says.
func TestHAProxy(t *testing.T) {
	program := need(t, cmp.Or(os.Getenv("HAPROXY"), "/usr/sbin/haproxy"))
	for _, send := range []string{"send-proxy", "send-proxy-v2"} {
		t.Run(send, func(t *testing.T) {
			addr := freeAddr(t)
			client := "127.0.0.9" // from which nothing comes without a proxy
			g := behind(t, "protocol: true", func(g *gateway) func(context.Context) bool {
				return func(context.Context) bool {
					c, err := net.Dial("tcp", g.addr)
					if err != nil {
						return false
					}
					c.Close()
					return true
				}
			})
			startFront(t, fmt.Sprintf(`
frontend wamp
    mode tcp
    bind %s
    timeout client 2m
    default_backend wireroom
backend wireroom
    mode tcp
    timeout connect 5s
    timeout server 2m
    server one %s %s check
`, addr, g.addr, send), addr, program, "-db", "-f")
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
			ws := websocket.Dialer{Subprotocols: []string{"wamp.2.json"}, NetDialContext: d.DialContext}
			conn, _, err := ws.DialContext(t.Context(), "ws://"+addr+"/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			local := conn.LocalAddr().String()
			if err := conn.WriteMessage(websocket.TextMessage, []byte(`[1,"realm1",{"authmethods":["wampcra"],"roles":{"caller":{}}}]`)); err != nil {
				t.Fatal(err)
			}
			if _, msg, err := conn.ReadMessage(); err != nil {
				t.Fatalf("HELLO is answered with %s, %v", msg, err)
			}
			await(t, "the log names "+local, func(context.Context) bool {
				return strings.Contains(g.log.String(), "peer="+local)
			})
			resp, err := http.Get("http://" + addr + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("GET /healthz: %v", resp.Status)
			}
			raw, err := d.DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			if _, err := raw.Write([]byte("\x7f\xf1\x00\x00")); err != nil {
				t.Fatal(err)
			}
			var answer [4]byte
			if _, err := io.ReadFull(raw, answer[:]); err != nil || answer[0] != 0x7f || answer[1]&0x0f != 1 {
				t.Errorf("RawSocket answers % x, %v", answer, err)
			}
		})
	}
}
