package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gammazero/nexus/v3/wamp"
	"github.com/spf13/cobra"
)

// A publication is one event on its way from the command line.
type publication struct {
	topic string
	value any    // as parseJSON returns it
	id    string // may be empty
}

// A publisher posts events one after the other over one of the ways in.
type publisher interface {
	// publish returns the event's id, or "" where the way in has none.
	publish(ctx context.Context, p publication) (id string, err error)
	close()
}

func newPublish() *cobra.Command {
	var (
		to     wampFlags
		output outputFlag
		xmlrpc string
		http   string
		key    string
		id     string
	)
	cmd := &cobra.Command{
		Use:   "publish TOPIC [DATA]",
		Short: "Publish an event",
		Long: `Publish an event over WAMP, XML-RPC or HTTP, and wait until it is accepted.

DATA is a JSON value. An object becomes the event's data; over WAMP a list holds
positional arguments, and anything else is the only argument. With "-" as DATA,
each JSON value on the standard input is one event.

Over XML-RPC and HTTP the topic is the name of an event class, and an ingest key
is needed.`,
		Example: `  wireroom publish demo.message '{"room": "lobby", "text": "hello"}'
  wireroom publish --xmlrpc http://127.0.0.1:8080/RPC2 --key demo demo.message '{"room": "lobby", "text": "hello"}'
  wireroom publish --http http://127.0.0.1:8080/events --key demo sensor.reading - < readings.jsonl`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, argv []string) error {
			key := envFlag(key, "WIREROOM_KEY")
			var (
				p   publisher
				err error
			)
			switch {
			case xmlrpc != "" && http != "":
				return usageErrorf("--xmlrpc and --http: expected one of them, found both")
			case xmlrpc != "":
				p, err = newXMLRPCPublisher(xmlrpc, key, to.timeout)
			case http != "":
				p, err = newHTTPPublisher(http, key, to.timeout)
			case id != "":
				return usageErrorf("--id: only with --xmlrpc or --http")
			default:
				p, err = newWAMPPublisher(cmd.Context(), &to)
			}
			if err != nil {
				return err
			}
			defer p.close()

			done := func(id string) error { return printPublished(cmd.OutOrStdout(), output, id) }
			if len(argv) > 1 && argv[1] == "-" {
				if id != "" {
					return usageErrorf("--id: not with data from the standard input")
				}
				return publishStream(cmd, p, argv[0], done)
			}
			var v any = map[string]any{}
			if len(argv) > 1 {
				if v, err = parseJSON(argv[1]); err != nil {
					return usageErrorf("DATA: %w", err)
				}
			}
			id, err := p.publish(cmd.Context(), publication{argv[0], v, id})
			if err != nil {
				return err
			}
			return done(id)
		},
	}
	to.addTo(cmd)
	output.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&xmlrpc, "xmlrpc", "", "publish over XML-RPC at this `URL`")
	flags.StringVar(&http, "http", "", "publish with an HTTP POST to this `URL`")
	flags.StringVar(&key, "key", "", "ingest `key` (or $WIREROOM_KEY)")
	flags.StringVar(&id, "id", "", "event `id`; the same id again is not delivered twice")
	return cmd
}

func printPublished(w io.Writer, output outputFlag, id string) error {
	if output == outputJSON {
		return printJSON(w, struct {
			Published bool   `json:"published"`
			ID        string `json:"id,omitempty"`
		}{true, id})
	}
	if id == "" {
		id = "published"
	}
	_, err := fmt.Fprintln(w, printable(id))
	return err
}

// publishStream publishes each JSON value of the standard input.
func publishStream(cmd *cobra.Command, p publisher, topic string, done func(id string) error) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	values := readValues(ctx, cmd.InOrStdin())
	bar := newProgress(cmd.ErrOrStderr(), "published")
	defer bar.end()
	for n := 1; ; n++ {
		var in inputValue
		select {
		case in = <-values:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return errInterrupted
		}
		if errors.Is(in.err, io.EOF) {
			return nil
		}
		if in.err != nil {
			return fmt.Errorf("value %d of the standard input: expected JSON: %w", n, in.err)
		}
		id, err := p.publish(ctx, publication{topic: topic, value: in.value})
		if err != nil {
			if e, ok := errors.AsType[*exitError](err); ok {
				return &exitError{code: e.code, err: fmt.Errorf("value %d of the standard input: %w", n, err), hint: e.hint}
			}
			return fmt.Errorf("value %d of the standard input: %w", n, err)
		}
		if err := done(id); err != nil {
			return err
		}
		bar.add(1)
	}
}

// An inputValue is a JSON value that was read, or why there is none.
type inputValue struct {
	value any
	err   error
}

// readValues reads the JSON values of r one by one, until one cannot be read
// or ctx is done. It is a goroutine that reads, since a read of a terminal or
// a pipe waits for as long as nobody writes: after an interrupt it ends with
// the read under way, or else with the process.
func readValues(ctx context.Context, r io.Reader) <-chan inputValue {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	values := make(chan inputValue)
	go func() {
		for {
			v, err := readJSON(dec)
			select {
			case values <- inputValue{v, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return values
}

// A wampPublisher publishes as a session.
type wampPublisher struct{ client *wampClient }

func newWAMPPublisher(ctx context.Context, to *wampFlags) (publisher, error) {
	c, err := to.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &wampPublisher{c}, nil
}

func (p *wampPublisher) publish(ctx context.Context, e publication) (string, error) {
	args, kwargs := arguments(e.value)
	answer := make(chan error, 1)
	go func() { // the library's call has no context; it ends with the answer or the connection
		answer <- p.client.Publish(e.topic, wamp.Dict{"acknowledge": true}, args, kwargs)
	}()
	select {
	case err := <-answer:
		if err != nil {
			return "", p.client.gate.explain(fmt.Errorf("publish to %s: %w", e.topic, err))
		}
		return "", nil
	case <-ctx.Done():
		// A gateway that does not answer would not answer a goodbye either.
		p.client.gate.Close()
		<-p.client.Done()
		return "", errInterrupted
	}
}

func (p *wampPublisher) close() { _ = p.client.Close() }
