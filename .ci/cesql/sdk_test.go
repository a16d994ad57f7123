package cesql

import (
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	sdkerrors "github.com/cloudevents/sdk-go/sql/v2/errors"
	"github.com/cloudevents/sdk-go/sql/v2/parser"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/wireroom/wireroom/events/query/internal/cesql"
)

var (
	pairs = flag.Int("pairs", 50_000, "pairs of an expression and an event to compare")
	seed  = flag.Uint64("seed", 0, "seed of expressions and events; 0 draws one")
)

// draw returns a generator, and says how to have the same again.
func draw(t *testing.T) *generator {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d -pairs %d", *seed, *pairs)
	return &generator{rand.New(rand.NewPCG(*seed, 1))}
}

// What expressions are for events is what they are to the SDK, and they fail of
// what they fail there.
func TestSDK(t *testing.T) {
	g := draw(t)
	const each = 20
	fails := 0
	for done := 0; done < *pairs; done += each {
		text := g.value(3)
		theirs, err := parser.Parse(text)
		if err != nil {
			t.Fatalf("%s: to the SDK: %v", text, err)
		}
		ours, err := cesql.Parse(text, 100)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := cesql.Parse(ours.String(), 100)
		if err != nil || again.String() != ours.String() {
			t.Fatalf("%s: becomes %s, and that %v, %v", text, ours, again, err)
		}
		for range each {
			event := g.event()
			want, wantErr := sdkSays(t, theirs.Evaluate, event)
			for _, e := range []*cesql.Expr{ours, again} {
				got, err := e.Eval(attributesOf(event))
				failed, _ := errors.AsType[*cesql.Error](err)
				switch {
				case (err == nil) != (wantErr == nil) || err != nil && !kindIs[failed.Kind](wantErr):
					t.Fatalf("%s\n%v\nfails with %v, and to the SDK with %v", e, event, err, wantErr)
				case err == nil && got != want:
					t.Fatalf("%s\n%v\nis %#v, and to the SDK %#v", e, event, got, want)
				}
			}
			if wantErr != nil {
				fails++
			}
		}
	}
	t.Logf("%d of them fail", fails)
}

var kindIs = map[cesql.ErrorKind]func(error) bool{
	cesql.MathError: sdkerrors.IsMathError, cesql.CastError: sdkerrors.IsCastError, cesql.MissingAttributeError: sdkerrors.IsMissingAttributeError,
	cesql.MissingFunctionError: sdkerrors.IsMissingFunctionError, cesql.FunctionEvaluationError: sdkerrors.IsFunctionEvaluationError,
}

// sdkSays evaluates an expression with the SDK.
func sdkSays(t *testing.T, evaluate func(cloudevents.Event) (any, error), event map[string]any) (cesql.Value, error) {
	t.Helper()
	e := cloudevents.NewEvent()
	for name, v := range event {
		switch name {
		case "specversion":
		case "id":
			e.SetID(v.(string))
		case "type":
			e.SetType(v.(string))
		case "source":
			e.SetSource(v.(string))
		case "subject":
			e.SetSubject(v.(string))
		case "datacontenttype":
			e.SetDataContentType(v.(string))
		default:
			e.SetExtension(name, v)
		}
	}
	if err := e.Validate(); err != nil {
		t.Fatalf("%v: %v", event, err)
	}
	v, err := evaluate(e)
	switch v := v.(type) {
	case string:
		return cesql.StringValue(v), err
	case int32:
		return cesql.IntegerValue(v), err
	case bool:
		return cesql.BooleanValue(v), err
	}
	return cesql.Value{}, err
}
