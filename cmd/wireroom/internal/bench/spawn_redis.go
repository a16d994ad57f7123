//go:build linux

package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A redisServer is Debian's redis-server (or what else has its name), on the
// loopback interface, with an append-only file that is synced each second.
type redisServer struct {
	child *child
	dir   string
	addr  string
}

// startRedis starts a server with its files in a new folder.
func startRedis(ctx context.Context, o *options) (*redisServer, error) {
	dir, err := os.MkdirTemp(o.dir, "wireroom-bench-*")
	if err != nil {
		return nil, err
	}
	r := &redisServer{dir: dir}
	if r.addr, err = freeAddress(); err == nil {
		_, port, _ := net.SplitHostPort(r.addr)
		r.child, err = startChild(false, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir,
			"--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := r.child.await(ctx, r.ping); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// ping asks the server whether it answers.
func (r *redisServer) ping() error {
	conn, err := net.DialTimeout("tcp", r.addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") {
		err = fmt.Errorf("redis-server answered %q to PING", line)
	}
	return err
}

// stop ends the server and removes its files.
func (r *redisServer) stop() {
	r.child.stop()
	_ = os.RemoveAll(r.dir)
}

// startWireroomRedis starts a redis-server and as many gateways over it as
// the options say. The server is the first gateway; its processes are all of
// these.
func startWireroomRedis(ctx context.Context, o *options) (*server, error) {
	r, err := startRedis(ctx, o)
	if err != nil {
		return nil, err
	}
	var all []*server
	stop := func() {
		for _, s := range all {
			s.stop()
		}
		r.stop()
	}
	procs := r.child.procs()
	for i := range max(o.nodes, 1) {
		s, err := startGateway(ctx, o, r.dir, "wireroom"+strconv.Itoa(i), "redis://"+r.addr)
		if err != nil {
			stop()
			return nil, err
		}
		all = append(all, s)
		procs = append(procs, s.procs...)
	}
	s := *all[0]
	s.procs, s.stop, s.kill, s.revive = procs, stop, nil, nil
	if len(all) > 1 {
		s.otherURL = all[1].url
	}
	s.note = "CPU and memory are those of redis-server, too; its files on " + fsName(r.dir)
	return &s, nil
}

// startRedisBenchmark starts a redis-server for redis-benchmark.
func startRedisBenchmark(ctx context.Context, o *options) (*server, error) {
	if _, err := exec.LookPath("redis-benchmark"); err != nil {
		return nil, err
	}
	r, err := startRedis(ctx, o)
	if err != nil {
		return nil, err
	}
	s := r.child.asServer("redis://" + r.addr)
	s.stop = r.stop
	s.note = "XADD of as many bytes by redis-benchmark; files on " + fsName(r.dir)
	s.load = func(ctx context.Context, load ingestLoad, say progress) (sample, error) {
		return r.benchmark(ctx, o, load, say)
	}
	return s, nil
}

// calibration is how many commands show how many fill the time to measure.
const calibration = 5000

// benchmark lets redis-benchmark send XADD: from as many clients with as many
// commands under way as posters have events, and from one client that has as
// many as all of them.
func (r *redisServer) benchmark(ctx context.Context, o *options, load ingestLoad, say progress) (sample, error) {
	say("redis-benchmark, %d clients × %d commands", load.posters, load.inFlight)
	rate, err := r.xadd(ctx, o, load.posters, load.inFlight)
	if err != nil {
		return nil, err
	}
	say("redis-benchmark, 1 client × %d commands", load.posters*load.inFlight)
	pipelined, err := r.xadd(ctx, o, 1, load.posters*load.inFlight)
	if err != nil {
		return nil, err
	}
	return sample{keyIngestRate: rate, keyPipelined: pipelined}, nil
}

// xadd returns how many commands a second redis-benchmark gets answered, for
// about as long as is measured. What they add is as long as an event.
func (r *redisServer) xadd(ctx context.Context, o *options, clients, pipeline int) (rate float64, err error) {
	_, port, _ := net.SplitHostPort(r.addr)
	data := fmt.Sprintf(`{"number":1000000000,"text":"%s"}`, strings.Repeat("x", o.size))
	count := max(calibration, clients*pipeline)
	for range 2 { // the first shows how many fill the time
		cmd := exec.CommandContext(ctx, "redis-benchmark", "-p", port, "--csv", "-c", strconv.Itoa(clients), "-P", strconv.Itoa(pipeline),
			"-n", strconv.Itoa(count), "XADD", "log", "*", "i", "bench", "c", "", "d", data)
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("redis-benchmark: %w", err)
		}
		if rate, err = parseRedisBenchmark(out); err != nil {
			return 0, err
		}
		count = max(int(rate*o.duration.Seconds()), clients*pipeline)
	}
	return rate, nil
}

// parseRedisBenchmark returns the commands per second of a report in CSV, which
// are in the second column. The first one has the command as it is, commas and
// quotes included, so columns are counted from the end.
func parseRedisBenchmark(out []byte) (float64, error) {
	head, row, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	columns, fields := strings.Count(head, ",")+1, strings.Split(row, ",")
	if columns < 2 || len(fields) < columns {
		return 0, fmt.Errorf("redis-benchmark: expected a header and a row of CSV, found %q", out)
	}
	text := strings.Trim(fields[len(fields)-columns+1], `"`)
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || rate <= 0 {
		return 0, fmt.Errorf("redis-benchmark: requests per second: expected a number above 0, found %q", text)
	}
	return rate, nil
}
