package wamp_test

import (
	"maps"
	"reflect"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// A past event reads the same in each serializer.
func TestAppendRecord(t *testing.T) {
	const at = "2026-01-31T09:30:00.250Z"
	details := wamp.EventDetails{Topic: "a.b", Publisher: 7, Fields: []wamp.Field{wamp.UintField("_offset", 3)}}
	for _, tt := range []struct {
		name    string
		args    []any
		kwargs  map[string]any
		details wamp.EventDetails
		want    map[string]any
	}{
		{
			name: "all", args: []any{"x", int64(1)}, kwargs: map[string]any{"k": true}, details: details,
			want: map[string]any{
				"details": map[string]any{"topic": "a.b", "publisher": int64(7), "_offset": int64(3)},
				"args":    []any{"x", int64(1)}, "kwargs": map[string]any{"k": true},
			},
		},
		{name: "nothing", want: map[string]any{"details": map[string]any{}}},
		{name: "arguments", args: []any{"x"}, want: map[string]any{"details": map[string]any{}, "args": []any{"x"}}},
	} {
		for ser := range wamp.Serializer(wamp.NumSerializers) {
			t.Run(tt.name+"/"+ser.String(), func(t *testing.T) {
				payload, err := wamp.NewPayload(ser, tt.args, tt.kwargs)
				if err != nil {
					t.Fatal(err)
				}
				e := wamp.Event{Subscription: 5, Publication: wamp.MaxID, Details: tt.details, Payload: payload}
				want := map[string]any{"timestamp": at, "subscription": int64(5), "publication": int64(wamp.MaxID)}
				maps.Copy(want, tt.want)
				got, err := wamp.ParseValue(ser, e.AppendRecord(nil, ser, at))
				if err != nil || !reflect.DeepEqual(got, any(want)) {
					t.Errorf("the record is %v, %v; want %v", got, err, want)
				}
			})
		}
	}
}

// Payload that is not for routers to look at is the only argument.
func TestAppendRecordOpaque(t *testing.T) {
	opaque, err := wamp.AppendValue(nil, wamp.CBOR, []byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	e := wamp.Event{Subscription: 1, Publication: 2, Payload: wamp.Payload{Serializer: wamp.CBOR, Opaque: opaque}}
	e.Details.Passthru.Scheme = "x_mine"
	got, err := wamp.ParseValue(wamp.CBOR, e.AppendRecord(nil, wamp.CBOR, "now"))
	want := map[string]any{
		"timestamp": "now", "subscription": int64(1), "publication": int64(2),
		"details": map[string]any{"ppt_scheme": "x_mine"}, "args": []any{[]byte{1, 2, 3}},
	}
	if err != nil || !reflect.DeepEqual(got, any(want)) {
		t.Errorf("the record is %v, %v; want %v", got, err, want)
	}
}

// Whatever is in the details, they are not zero. A new field must not be
// forgotten.
func TestEventDetailsIsZero(t *testing.T) {
	if d := (wamp.EventDetails{}); !d.IsZero() {
		t.Error("the zero value is not zero")
	}
	for i := range reflect.TypeFor[wamp.EventDetails]().NumField() {
		var d wamp.EventDetails
		v := reflect.ValueOf(&d).Elem()
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("x")
		case reflect.Uint64:
			f.SetUint(1)
		case reflect.Struct:
			f.Field(0).SetString("x")
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Map:
			f.Set(reflect.MakeMap(f.Type()))
			f.SetMapIndex(reflect.ValueOf("_x"), reflect.ValueOf(any(1)))
		default:
			t.Fatalf("the field %s has a kind that the test does not know", v.Type().Field(i).Name)
		}
		if d.IsZero() {
			t.Errorf("details with %s are zero", v.Type().Field(i).Name)
		}
	}
}
