//go:build linux

package bench

import (
	"os"
	"time"
)

// A meter measures what a span of time cost the server, the generator and
// the rest of the machine.
type meter struct {
	server process
	start  readings
}

// readings is what the clocks said at one time.
type readings struct {
	at                    time.Time
	server, self, machine time.Duration
}

// A cost is what a span of time took.
type cost struct {
	wall   time.Duration
	server time.Duration // CPU time of the server's processes
	self   time.Duration // … of the generator
	other  time.Duration // … of everything else on the machine: noise
}

// startMeter begins a span.
func startMeter(server process) (*meter, error) {
	m := &meter{server: server}
	var err error
	m.start, err = m.read()
	return m, err
}

func (m *meter) read() (readings, error) {
	var r readings
	var err error
	if r.server, err = m.server.cpu(); err != nil {
		return r, err
	}
	if r.self, err = cpuTime(os.Getpid()); err != nil {
		return r, err
	}
	if r.machine, err = machineCPU(); err != nil {
		return r, err
	}
	r.at = time.Now()
	return r, nil
}

// stop ends the span.
func (m *meter) stop() (cost, error) {
	r, err := m.read()
	if err != nil {
		return cost{}, err
	}
	c := cost{
		wall:   r.at.Sub(m.start.at),
		server: r.server - m.start.server,
		self:   r.self - m.start.self,
	}
	c.other = max(r.machine-m.start.machine-c.self-c.server, 0)
	return c, nil
}

// add adds another span.
func (c *cost) add(o cost) {
	c.wall += o.wall
	c.server += o.server
	c.self += o.self
	c.other += o.other
}

// cores returns d as a share of the span: 1 is one core, all of the time.
func (c cost) cores(d time.Duration) float64 { return d.Seconds() / max(c.wall.Seconds(), 1e-9) }

// milliseconds converts from nanoseconds.
func milliseconds(ns int64) float64 { return float64(ns) / 1e6 }

// addCost adds what the server spent per unit of work, and who else was busy.
// Without a key there is no unit.
func (s sample) addCost(srv *server, c cost, key string, units float64) error {
	s["generator_cores"] = c.cores(c.self)
	s["other_cores"] = c.cores(c.other)
	if len(srv.procs) == 0 {
		delete(s, "other_cores") // it holds the server
		return nil
	}
	if key != "" {
		s[key] = float64(c.server.Nanoseconds()) / 1e3 / units
	}
	s["server_cores"] = c.cores(c.server)
	m, err := srv.procs.memory()
	if err != nil {
		return err
	}
	s["server_rss_mb"] = float64(m.rss) / 1e6
	return nil
}
