package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What the events of a round say. Not all of it is ASCII, so that a serializer
// that is wrong about lengths is found.
const (
	textXMLRPC = "by XML-RPC: blåbær, 電信"
	textHTTP   = "by HTTP: ½ ✓ \"quoted\" \\ 😀"
)

// A step is one line of a client: its name, and what goes with it.
type step map[string]any

// A steward reads what a client program says, and answers.
type steward struct {
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stdin  io.WriteCloser
	stderr logBuffer
}

// startClient runs a client program. Its context ends with the test.
func startClient(t *testing.T, env []string, program string, args ...string) *steward {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	t.Cleanup(cancel)
	s := &steward{cmd: exec.CommandContext(ctx, program, args...)}
	s.cmd.Env = env
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(stdout)
	s.lines.Buffer(nil, 1<<20)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// steps yields what the client says, and ends the test if the client fails.
// What is no JSON object, such as a library's own log line, is passed over.
func (s *steward) steps(t *testing.T) func(yield func(name string, rest step) bool) {
	return func(yield func(string, step) bool) {
		t.Helper()
		for s.lines.Scan() {
			var rest step
			if err := json.Unmarshal(s.lines.Bytes(), &rest); err != nil {
				continue
			}
			name, _ := rest["step"].(string)
			delete(rest, "step")
			if !yield(name, rest) {
				break
			}
		}
		err := s.cmd.Wait()
		if err != nil || s.lines.Err() != nil {
			t.Fatalf("the client ended with %v %v:\n%s", err, s.lines.Err(), s.stderr.String())
		}
	}
}

// answer does what the client asked for, and tells it.
func (s *steward) answer(t *testing.T, do func()) {
	t.Helper()
	do()
	if _, err := io.WriteString(s.stdin, "done\n"); err != nil {
		t.Fatalf("the client does not listen: %v\n%s", err, s.stderr.String())
	}
}

// A library is what a client's library lets its user say and see.
type library struct {
	options bool // options of the gateway's own, such as _last
	details bool // the event's own Details, such as _class
	queries bool // by the procedure that makes topics of them, without options
}

// goRound runs a client program through the round of testdata/round.mjs.
func goRound(t *testing.T, g *gateway, lib library, env []string, program string, args ...string) {
	t.Helper()
	var c collector
	s := startClient(t, env, program, args...)
	for name, rest := range s.steps(t) {
		c.add(t, g, name, rest)
	}
	c.check(t, lib)
}

// A collector gathers the steps of a round, and posts when the client is ready.
type collector struct {
	steps  []string
	events []string
}

func (c *collector) add(t *testing.T, g *gateway, name string, rest step) {
	t.Helper()
	if name == "event" {
		// Libraries differ in what they call the topic of a subscription
		// without a pattern.
		if via := rest["via"]; via == "exact" || via == "channel" {
			delete(rest, "topic")
		}
		c.events = append(c.events, encode(t, rest))
		return
	}
	c.steps = append(c.steps, name+" "+encode(t, rest))
	if name == "ready" {
		g.postXMLRPC(t, "demo.message", map[string]any{"room": "lobby", "text": textXMLRPC})
		g.postHTTP(t, "demo.message", map[string]any{"room": "lobby", "text": textHTTP})
	}
}

// check compares the steps with those that every client goes.
func (c *collector) check(t *testing.T, lib library) {
	t.Helper()
	want := []string{
		`joined {"role":"anonymous"}`,
		`ready {}`,
		`published {"id":true}`,
		`refused {"field":"text","uri":"wireroom.error.invalid_event"}`,
		`called {"value":5}`,
		`progressed {"seen":[1,2,3],"value":"counted"}`,
		`failed {"args":["why"],"uri":"com.example.error.broken"}`,
		`unknown {"uri":"wamp.error.no_such_procedure"}`,
		`done {}`,
	}
	if lib.options {
		again := []step{{"text": textXMLRPC}, {"text": textHTTP}}
		for _, e := range again {
			if lib.details {
				e["marked"] = true
			}
		}
		want = slices.Insert(want, len(want)-1, "replayed "+encode(t, step{"again": again}))
	}
	if lib.options || lib.queries {
		want = slices.Insert(want, len(want)-1, `chosen {"totals":[120]}`, `mistaken {"column":7,"uri":"wireroom.error.invalid_query"}`)
	}
	if !slices.Equal(c.steps, want) {
		t.Errorf("steps:\n%s\nwant:\n%s", strings.Join(c.steps, "\n"), strings.Join(want, "\n"))
	}

	var events []string
	for _, text := range []string{textXMLRPC, textHTTP} {
		for _, via := range []string{"exact", "channel", "prefix"} {
			e := step{"via": via, "text": text}
			if via == "prefix" {
				e["topic"] = "demo.message"
			}
			if lib.details {
				e["class"] = "demo.message"
			}
			events = append(events, encode(t, e))
		}
	}
	for _, via := range []string{"plain prefix", "plain wildcard"} {
		events = append(events, encode(t, step{"via": via, "text": "by a client", "topic": "chat.room1.said"}))
	}
	slices.Sort(events)
	slices.Sort(c.events)
	if !slices.Equal(c.events, events) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(c.events, "\n"), strings.Join(events, "\n"))
	}
}

// serializers are those that WAMP clients of every kind speak.
var serializers = []string{"json", "msgpack", "cbor"}

// roundName returns a word for the procedures of one client.
func roundName(parts ...string) string { return fmt.Sprintf("r_%s", strings.Join(parts, "_")) }
