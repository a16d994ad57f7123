package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/query"
)

func newQueryTest() *cobra.Command {
	var of queryFlags
	cmd := &cobra.Command{
		Use:   "test EXPR FILE",
		Short: "Say which events of a file match a query, and why",
		Long: `Say which events of a file match a query, and why. With "-" as FILE they are
read from the standard input.

Each line is an event: {"class": …, "id": …, "time": …, "topic": …, "data": {…}},
or only its data, an object, or a line of "wireroom subscribe -o json". What is
not given is empty, the topic is the class, and the time is now. With --class,
events are checked as the gateway does, those of other classes are passed over,
and fields that the class declares as times are times.

The exit code is 1 if no event matches, or if a line is no event.`,
		Example: `  wireroom query test 'total > 100' orders.jsonl
  wireroom subscribe order.created --last 100 --count 100 -o json | wireroom query test 'total > 100' - --class order.created`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, argv []string) error {
			q, class, err := of.read(cmd, argv[0])
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if argv[1] != "-" {
				f, err := os.Open(argv[1])
				if err != nil {
					return fmt.Errorf("read the events: %w", err)
				}
				defer func() { _ = f.Close() }()
				in = f
			}
			t := queryTester{query: q, class: class, output: of.output, out: cmd.OutOrStdout()}
			if err := t.all(cmd.Context(), in); err != nil {
				return err
			}
			return t.sum(cmd.ErrOrStderr())
		},
	}
	of.addTo(cmd)
	return cmd
}

// A queryTester asks a query of events.
type queryTester struct {
	query  *query.Query
	class  *events.Class // may be nil
	output outputFlag
	out    io.Writer

	events, matching, wrong int
}

// maxEventLine bounds a line of a file of events.
const maxEventLine = 16 << 20

// all asks the query of each line.
func (t *queryTester) all(ctx context.Context, r io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := readLines(ctx, r)
	for n := 1; ; n++ {
		var in inputLine
		select {
		case in = <-lines:
		case <-ctx.Done():
		}
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case errors.Is(in.err, io.EOF):
			return nil
		case errors.Is(in.err, bufio.ErrTooLong):
			return fmt.Errorf("line %d: expected at most %d MiB, found more", n, maxEventLine>>20)
		case in.err != nil:
			return fmt.Errorf("line %d: %w", n, in.err)
		}
		text := bytes.TrimSpace(in.text)
		if len(text) == 0 {
			continue
		}
		if err := t.print(t.line(n, text)); err != nil {
			return err
		}
	}
}

// A testedEvent is what query test says of a line.
type testedEvent struct {
	Line    int          `json:"line"`
	ID      string       `json:"id,omitempty"`
	Matches bool         `json:"matches"`
	Truth   string       `json:"truth,omitempty"` // "true", "false" or "error"
	Reasons []testReason `json:"reasons,omitempty"`
	Skipped string       `json:"skipped,omitempty"` // the class, if it is another
	Error   string       `json:"error,omitempty"`   // why the line is no event

	text string // of the explanation
}

// A testReason is a [query.Reason] in JSON.
type testReason struct {
	Text   string `json:"text"`
	Offset int    `json:"offset"`
	Found  string `json:"found,omitempty"`
}

// line asks the query of one line, and counts.
func (t *queryTester) line(n int, text []byte) testedEvent {
	said := testedEvent{Line: n}
	meta, data, err := readEvent(text)
	said.ID = meta.ID
	var sample *query.Sample
	switch {
	case err != nil:
	case t.class == nil:
		sample, err = query.NewSample(meta, data)
	case meta.Class != "" && meta.Class != t.class.Name():
		said.Skipped = meta.Class
		return said
	default:
		meta.Class = t.class.Name()
		channel := ""
		if channel, err = t.class.Check(data); err == nil {
			if meta.Topic == "" {
				meta.Topic = t.class.Topic(channel)
			}
			sample, err = t.class.Schema().NewSample(meta, data)
		}
	}
	if err != nil {
		t.wrong++
		said.Error = err.Error()
		return said
	}
	x := t.query.Explain(sample)
	t.events++
	if said.Matches = x.Truth == query.True; said.Matches {
		t.matching++
	}
	said.Truth, said.text = x.Truth.String(), x.String()
	for _, r := range x.Reasons {
		said.Reasons = append(said.Reasons, testReason(r))
	}
	return said
}

func (t *queryTester) print(said testedEvent) error {
	if t.output == outputJSON {
		return printJSON(t.out, said)
	}
	text := said.text
	switch {
	case said.Error != "":
		text = "no event: " + said.Error
	case said.Skipped != "":
		text = "passed over: an event of " + said.Skipped
	}
	_, err := fmt.Fprintf(t.out, "line %d: %s\n", said.Line, printable(text))
	return err
}

// sum says how many events match, and returns an error if none does or a line
// was no event.
func (t *queryTester) sum(w io.Writer) error {
	switch {
	case t.wrong > 0:
		return fmt.Errorf("%d of %s matched, and %s", t.matching, count(t.events, "event", "events"), count(t.wrong, "line is no event", "lines are no events"))
	case t.events == 0:
		return errors.New("expected events, found none")
	case t.matching == 0:
		return fmt.Errorf("0 of %s matched", count(t.events, "event", "events"))
	}
	_, err := fmt.Fprintf(w, "%d of %s matched\n", t.matching, count(t.events, "event", "events"))
	return err
}

// readEvent reads an event in any of its forms.
func readEvent(text []byte) (meta query.Meta, data []byte, err error) {
	meta.Time = time.Now()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return meta, nil, fmt.Errorf("expected a JSON object, found %s", quoteShort(string(text)))
	}
	// A member of an event is one only if it is what it should be; otherwise
	// the line is the data, which may have fields with these names.
	read := func(name string, to any) bool {
		return len(members[name]) > 0 && json.Unmarshal(members[name], to) == nil
	}
	object := func(name string) bool { return bytes.HasPrefix(members[name], []byte{'{'}) }
	var details struct {
		ID    string    `json:"_event_id"`
		Class string    `json:"_class"`
		Time  time.Time `json:"_time"`
	}
	switch {
	case object("data") && read("class", &meta.Class):
		read("id", &meta.ID)
		if read("topic", &meta.Topic); meta.Topic == "" {
			meta.Topic = meta.Class
		}
		if members["time"] != nil && !read("time", &meta.Time) {
			return meta, nil, fmt.Errorf(`time: expected a time such as "2026-01-31T12:00:00Z", found %s`, quoteShort(string(members["time"])))
		}
		return meta, members["data"], nil
	case object("kwargs") && object("details") && read("topic", &meta.Topic):
		if !read("details", &details) {
			return meta, nil, fmt.Errorf("details: expected those of an event, found %s", quoteShort(string(members["details"])))
		}
		meta.ID, meta.Class = details.ID, details.Class
		if !details.Time.IsZero() {
			meta.Time = details.Time
		}
		return meta, members["kwargs"], nil
	}
	return meta, text, nil
}

// An inputLine is a line that was read, or why there is none.
type inputLine struct {
	text []byte
	err  error
}

// readLines reads the lines of r one by one, as readValues does values.
func readLines(ctx context.Context, r io.Reader) <-chan inputLine {
	lines := make(chan inputLine)
	go func() {
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxEventLine)
		for {
			in := inputLine{err: io.EOF}
			if s.Scan() {
				in = inputLine{text: bytes.Clone(s.Bytes())}
			} else if err := s.Err(); err != nil {
				in.err = err
			}
			select {
			case lines <- in:
			case <-ctx.Done():
				return
			}
			if in.err != nil {
				return
			}
		}
	}()
	return lines
}
