//go:build linux

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// A pair is a publisher and a subscriber in a process of their own, that
// measures how long events take while the generator is busy with something
// else. Were they in the generator, they would measure that.
//
// The process reads a pairConfig, a line of JSON, from its standard input, and
// then lines that each ask for one pairLap, which it writes as a line of JSON.
// The line "end" is the last: it waits for what is under way.
type pair struct {
	child *child
}

// A pairConfig says where the pair joins.
type pairConfig struct {
	URL        string     `json:"url"`
	Realm      string     `json:"realm"`
	AuthID     string     `json:"authid,omitempty"`
	Ticket     string     `json:"ticket,omitempty"`
	Insecure   bool       `json:"insecure,omitempty"`
	Serializer serializer `json:"serializer"`
	Topic      string     `json:"topic"`
	Class      bool       `json:"class,omitempty"` // the topic is a class, whose events have a number and a text
	Rate       float64    `json:"rate"`            // events per second
	Size       int        `json:"size"`            // bytes of the payload
}

// A pairLap is what the pair saw since the lap before, in milliseconds from
// when an event was due. Sent and Lost are since the beginning; Lost is known
// at the end.
type pairLap struct {
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
	Late  float64 `json:"late"` // 99th percentile of how much later than due events were sent: the pair's own delay, part of the others
	Got   uint64  `json:"got"`  // since the lap before
	Sent  uint64  `json:"sent"`
	Lost  uint64  `json:"lost"`
	Error string  `json:"error,omitempty"` // why it had to stop
}

// startPair starts a pair and waits until it runs.
func startPair(c pairConfig) (*pair, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ch, err := startChild(true, self, "bench", "pair-client")
	if err != nil {
		return nil, err
	}
	p := &pair{child: ch}
	line, err := json.Marshal(c)
	if err == nil {
		_, err = p.ask(string(line))
	}
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("start the background pair: %w", err)
	}
	return p, nil
}

// ask sends a line and reads the answer.
func (p *pair) ask(line string) (*pairLap, error) {
	if _, err := io.WriteString(p.child.stdin, line+"\n"); err != nil {
		return nil, err
	}
	type answer struct {
		lap *pairLap
		err error
	}
	came := make(chan answer, 1)
	go func() { // ends with the process at the latest
		text, err := p.child.lines.ReadBytes('\n')
		lap := new(pairLap)
		if err == nil {
			err = json.Unmarshal(text, lap)
		}
		came <- answer{lap, err}
	}()
	select {
	case a := <-came:
		if a.err != nil {
			return nil, p.child.explain(a.err)
		}
		if a.lap.Error != "" {
			return nil, errors.New(a.lap.Error)
		}
		return a.lap, nil
	case <-time.After(startTimeout):
		return nil, fmt.Errorf("the background pair did not answer within %v", startTimeout)
	}
}

// lap returns what the pair saw since it was asked before.
func (p *pair) lap() (*pairLap, error) { return p.ask("lap") }

// end stops publishing, and returns what was seen since the last lap, and
// what was lost.
func (p *pair) end() (*pairLap, error) { return p.ask("end") }

// stop ends the process.
func (p *pair) stop() { p.child.stop() }

// newPairClient returns the hidden subcommand that is a pair.
func newPairClient() *cobra.Command {
	return &cobra.Command{
		Use:    "pair-client",
		Short:  "Publish and subscribe until the standard input ends",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPair(cmd.Context(), bufio.NewScanner(cmd.InOrStdin()), json.NewEncoder(cmd.OutOrStdout()))
		},
	}
}

// runPair answers each line of in.
func runPair(ctx context.Context, in *bufio.Scanner, out *json.Encoder) error {
	var c pairConfig
	if !in.Scan() {
		return errors.New("expected a line of configuration")
	}
	if err := json.Unmarshal(in.Bytes(), &c); err != nil {
		return err
	}
	run, err := openPair(ctx, &c)
	if err != nil {
		return out.Encode(pairLap{Error: err.Error()})
	}
	defer run.close()
	if err := out.Encode(pairLap{}); err != nil {
		return err
	}
	for in.Scan() {
		if in.Text() == "end" {
			run.finish(ctx)
		}
		if err := out.Encode(run.lap()); err != nil {
			return err
		}
	}
	return in.Err()
}
