//go:build linux

package bench

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	texttemplate "text/template"
	"time"
)

// What --spawn can start.
const (
	spawnWireroom  = "wireroom"
	spawnNexus     = "nexus"
	spawnWriteLoop = "writeloop"
	spawnPython    = "python-xmlrpc"

	// The same gateway with its store in a redis-server, what that does by
	// itself, and what the disk does.
	spawnWireroomRedis  = "wireroom-redis"
	spawnRedisBenchmark = "redis-benchmark"
	spawnSync           = "fdatasync"
)

// spawners start a server each. The map is never changed.
var spawners = map[string]func(ctx context.Context, o *options) (*server, error){
	spawnWireroom:  startWireroom,
	spawnNexus:     startNexus,
	spawnWriteLoop: startWriteLoop,
	spawnPython:    startPython,

	spawnWireroomRedis:  startWireroomRedis,
	spawnRedisBenchmark: startRedisBenchmark,
	spawnSync:           startSync,
}

// The realm of a spawned server, the key that posts to it, and the class that
// it posts to, unless the flags say otherwise.
const (
	defaultRealm = "realm1"
	defaultKey   = "wireroom-bench-key"
	defaultClass = "bench.event"
)

// startSelf starts a hidden subcommand of this program.
func startSelf(args ...string) (c *child, addr string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	if c, err = startChild(true, self, append([]string{"bench"}, args...)...); err != nil {
		return nil, "", err
	}
	if addr, err = c.address(); err != nil {
		c.stop()
		return nil, "", err
	}
	return c, addr, nil
}

// asServer returns the child as a server.
func (c *child) asServer(url string) *server {
	return &server{url: url, procs: c.procs(), stop: c.stop, explain: c.explain}
}

// startNexus starts nexus's router.
func startNexus(_ context.Context, o *options) (*server, error) {
	args := []string{"nexus-server", "--realm", o.login.realm}
	if o.login.deflate {
		args = append(args, "--deflate")
	}
	scheme, cert := "ws://", &certificate{}
	if o.tls {
		dir, err := os.MkdirTemp(o.dir, "wireroom-bench-*")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir) // it has read them when it says its address
		if cert, err = newCertificate(dir); err != nil {
			return nil, err
		}
		scheme = "wss://"
		args = append(args, "--cert", cert.certFile, "--key", cert.keyFile)
	}
	c, addr, err := startSelf(args...)
	if err != nil {
		return nil, err
	}
	s := c.asServer(scheme + addr + "/ws")
	s.roots = cert.roots
	s.kill = func() { c.kill() }
	s.revive = func(context.Context) error {
		again, _, err := startSelf(append(args, "--listen", addr)...)
		if err != nil {
			return err
		}
		c = again
		s.procs, s.stop, s.explain = c.procs(), c.stop, c.explain
		return nil
	}
	return s, nil
}

// startWriteLoop starts the floor.
func startWriteLoop(context.Context, *options) (*server, error) {
	c, addr, err := startSelf("writeloop-server")
	if err != nil {
		return nil, err
	}
	return c.asServer("tcp://" + addr), nil
}

//go:embed xmlrpc_server.py
var pythonServer string

// startPython starts Python's xmlrpc.server with a method that does nothing.
func startPython(context.Context, *options) (*server, error) {
	c, err := startChild(true, "python3", "-c", pythonServer)
	if err != nil {
		return nil, err
	}
	addr, err := c.address()
	if err != nil {
		c.stop()
		return nil, err
	}
	return c.asServer("http://" + addr), nil
}

//go:embed wireroom.yaml.tmpl
var wireroomConfigText string

var wireroomTemplate = texttemplate.Must(texttemplate.New("wireroom.yaml").Parse(wireroomConfigText))

// wireroomConfig returns the configuration of a spawned wireroom, whose store
// is given as in a configuration. A certificate without files means no TLS.
func (o *options) wireroomConfig(addr, store string, cert *certificate) ([]byte, error) {
	classes := map[bool][2]string{true: {ordersClass, channelsClass}}[o.orders]
	var text bytes.Buffer
	err := wireroomTemplate.Execute(&text, map[string]any{
		"Address": addr, "Store": store, "Realm": cmp.Or(o.login.realm, defaultRealm),
		"Key": cmp.Or(o.key, defaultKey), "Class": cmp.Or(o.class, defaultClass),
		"Admission": o.admission, "Linger": o.linger, "Deflate": o.login.deflate, "DeflateMin": o.deflateMin,
		"Cert": cert.certFile, "CertKey": cert.keyFile, "Orders": classes[0], "Channels": classes[1],
		"Persistent": o.persistent, "Live": liveClass, "Free": o.free,
	})
	return text.Bytes(), err
}

// startWireroom starts "serve" of this very program, with a store and a
// configuration in a new folder, which goes with it.
func startWireroom(ctx context.Context, o *options) (*server, error) {
	dir, err := os.MkdirTemp(o.dir, "wireroom-bench-*")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "wireroom.db")
	s, err := startGateway(ctx, o, dir, "wireroom", "file:"+file)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	s.storeFile = file
	if o.key != "" { // ingest: what it measures depends on the disk
		s.note = "store on " + fsName(dir)
	}
	stop := s.stop
	s.stop = func() {
		stop()
		_ = os.RemoveAll(dir)
	}
	return s, nil
}

// startGateway starts "serve" of this very program with that store. Its
// configuration goes into the folder, under that name.
func startGateway(ctx context.Context, o *options, dir, name, store string) (*server, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cert := &certificate{}
	if o.tls {
		if cert, err = newCertificate(dir); err != nil {
			return nil, err
		}
	}
	text, err := o.wireroomConfig(addr, store, cert)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, err := startChild(false, self, "serve", "--config", file)
	if err != nil {
		return nil, err
	}
	if err := c.awaitReady(ctx, addr, cert); err != nil {
		c.stop()
		return nil, err
	}
	secure := ""
	if o.tls {
		secure = "s"
	}
	s := c.asServer("ws" + secure + "://" + addr + "/ws")
	s.httpURL, s.roots = "http"+secure+"://"+addr, cert.roots
	s.stop = func() { c.stop() }
	s.kill = func() { c.kill() }
	s.revive = func(ctx context.Context) error {
		again, err := startChild(false, self, "serve", "--config", file)
		if err != nil {
			return err
		}
		c = again // for stop
		s.procs, s.explain = c.procs(), c.explain
		return c.awaitReady(ctx, addr, cert)
	}
	return s, nil
}

// awaitReady waits until the wireroom at addr delivers.
func (c *child) awaitReady(ctx context.Context, addr string, cert *certificate) error {
	client := &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cert.roots}},
	}
	defer client.CloseIdleConnections()
	url := "http://" + addr + "/readyz"
	if cert.roots != nil {
		url = "https://" + addr + "/readyz"
	}
	return c.await(ctx, func() error {
		resp, err := client.Get(url)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz: %s", resp.Status)
		}
		return nil
	})
}

// freeAddress returns an address on the loopback interface that nobody
// listens on now.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
