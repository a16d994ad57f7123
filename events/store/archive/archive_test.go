package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/archive"
)

var start = time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)

// readAll reads an archive to its end.
func readAll(data []byte) (entries []archive.Entry, err error) {
	r, err := archive.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
}

// write writes entries as an archive.
func write(t testing.TB, entries []archive.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := archive.NewWriter(&b, archive.Header{Made: start, By: "a test"})
	for _, e := range entries {
		var err error
		switch {
		case e.Token != nil:
			err = w.Token(e.Token)
		case e.Subscription != nil:
			err = w.Subscription(e.Subscription)
		case e.Log != nil && e.Again:
			err = w.LogAgain(e.Log.Class, e.Log.Bounds)
		case e.Log != nil:
			err = w.Log(e.Log.Class, e.Log.Bounds)
		default:
			err = w.Event(e.Event)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fill puts something other than zero into everything that a value has, so that
// a field that is not carried is found out.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(start.Add(time.Duration(rand.Int64N(1e9)) * time.Millisecond)))
			return
		}
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"n":1}`))
			return
		}
		s := reflect.MakeSlice(v.Type(), 1, 1)
		fill(s.Index(0))
		v.Set(s)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(7)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(time.Hour))
	default:
		panic("a field of a kind that nobody thought of: " + v.Kind().String())
	}
}

// Every field of what is carried is carried.
func TestNothingIsLeftOut(t *testing.T) {
	var token auth.Token
	var sub events.Persistent
	var record events.Record
	fill(reflect.ValueOf(&token).Elem())
	fill(reflect.ValueOf(&sub).Elem())
	fill(reflect.ValueOf(&record).Elem())
	sub.Acked = []events.Span{{From: sub.Position.Offset + 2, Through: sub.Position.Offset + 5}}
	record.Class, record.Offset, record.Keep = "c", 1, events.Retain{} // a log is not kept by its archive
	entries := []archive.Entry{
		{Token: &token},
		{Subscription: &sub},
		{Log: &archive.Log{Class: "c", Bounds: events.Bounds{Epoch: "e", First: 1, Next: 2, Base: 1}}},
		{Event: &record},
	}
	got, err := readAll(write(t, entries))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, entries) {
		for i := range entries {
			t.Logf("%+v\nwant %+v", got[i], entries[i])
		}
		t.Error("what was written does not come back")
	}
}

// randomText returns any bytes, or text.
func randomText(r *rand.Rand) string {
	texts := []string{"a", "Ada Lovelace é", "tab\tline\nend", "\"quoted\" \\ <b>&amp;", "\xff\xfe\x80", "\u2028", "𝄞", "{\"base64\":\"eA==\"}"}
	return texts[r.IntN(len(texts))]
}

func randomData(r *rand.Rand) []byte {
	data := []string{`{}`, `{"a":1.50,"b":[1,2,{"c":null}]}`, `{ "spaced" : true }`, "{\n\t\"lines\": 1\n}", `{"d":1,"d":2}`, `not json`, "", "{\"x\":\"\xff\"}", `{"e":"\u00e9é"}`}
	return []byte(data[r.IntN(len(data))])
}

// randomEntries returns what a store may have.
func randomEntries(seed uint64) (entries []archive.Entry) {
	r := rand.New(rand.NewPCG(seed, 1))
	at := func() time.Time { return start.Add(time.Duration(r.Int64N(1e15))).UTC() }
	for range r.IntN(5) {
		t := &auth.Token{Client: randomText(r), User: randomText(r), Realm: randomText(r), Claims: randomText(r), Created: at(), Expires: at(), LastSeen: at()}
		for i := range t.Hash {
			t.Hash[i] = byte(r.Uint32())
		}
		for range r.IntN(3) {
			t.Roles = append(t.Roles, randomText(r))
		}
		entries = append(entries, archive.Entry{Token: t})
	}
	for range r.IntN(5) {
		p := &events.Persistent{
			Owner: randomText(r), Name: randomText(r), Class: randomText(r), Channel: randomText(r), Where: randomText(r), Explicit: r.IntN(2) == 0,
			Created: at(), Seen: at(), Expires: at(), For: time.Duration(r.Int64N(1e15)), Position: events.Position{Epoch: randomText(r), Offset: r.Uint64N(1 << 50)},
		}
		last := p.Position.Offset
		for range r.IntN(4) {
			from := last + 2 + r.Uint64N(9)
			last = from + r.Uint64N(9)
			p.Acked = append(p.Acked, events.Span{From: from, Through: last})
		}
		entries = append(entries, archive.Entry{Subscription: p})
	}
	for n := range r.IntN(4) {
		first := 1 + r.Uint64N(1000)
		l := &archive.Log{Class: fmt.Sprint(randomText(r), n), Bounds: events.Bounds{Epoch: "epoch-1", First: first, Next: first + r.Uint64N(20)}}
		l.Bounds.Base = r.Uint64N(l.Bounds.Next)
		entries = append(entries, archive.Entry{Log: l})
		until := l.Bounds.Next
		if n == 1 && first < until {
			until = first + r.Uint64N(until-first) // and then it begins anew
		}
		when := start
		for at := first; at < until; at++ {
			when = when.Add(time.Duration(r.IntN(3)) * time.Millisecond)
			entries = append(entries, archive.Entry{Event: &events.Record{
				Class: l.Class, Offset: at, ID: randomText(r), IDGiven: r.IntN(2) == 0, Channel: randomText(r), Time: when, Data: randomData(r),
			}})
		}
		if until < l.Bounds.Next {
			rest := *l
			rest.Bounds.First = l.Bounds.Next
			entries = append(entries, archive.Entry{Log: &rest, Again: true})
		}
	}
	return entries
}

// What is written comes back as it was, whatever it was, compressed or not.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(60) {
		entries := randomEntries(seed)
		data := write(t, entries)
		name := []string{"a.jsonl", "a.gz", "a.zst"}[seed%3]
		var packed bytes.Buffer
		w, err := archive.Compress(&packed, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		u, err := archive.Decompress(&packed)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(u)
		if err != nil || !bytes.Equal(unpacked, data) {
			t.Fatalf("%s: unpacked to %d bytes, %v; want %d", name, len(unpacked), err, len(data))
		}
		u.Close()
		got, err := readAll(data)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, data)
		}
		if len(got) != len(entries) {
			t.Fatalf("seed %d: %d entries, want %d", seed, len(got), len(entries))
		}
		for i := range entries {
			if !reflect.DeepEqual(got[i], entries[i]) {
				t.Fatalf("seed %d, entry %d: %+v %+v\nwant %+v %+v", seed, i, got[i], got[i].Event, entries[i], entries[i].Event)
			}
		}
	}
}

const header = `{"wireroom":"archive","version":1,"made":"2026-01-31T09:30:00Z"}` + "\n"

func TestWrong(t *testing.T) {
	const log = `{"log":{"class":"c","epoch":"e","first":1,"next":3}}` + "\n"
	event := func(offset int) string {
		return fmt.Sprintf(`{"event":{"offset":%d,"id":"i","time":"2026-01-31T09:30:0%d.000Z","data":{}}}`+"\n", offset, offset)
	}
	const subscription = `{"subscription":{"owner":"o","name":"n","class":"c","created":"2026-01-31T09:30:00Z","seen":"2026-01-31T09:30:00Z","expires":"2026-01-31T09:30:00Z","for":"1h0m0s","position":{"epoch":"e","offset":5},"acked":[[%s]]}}` + "\n"
	whole := string(write(t, []archive.Entry{{Log: &archive.Log{Class: "c", Bounds: events.Bounds{Epoch: "e", First: 1, Next: 1}}}}))
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "line 1 of the archive: the archive ends here"},
		{"another file", "SQLite format 3\n", "line 1 of the archive: expected the first line of an archive"},
		{"other JSON", `{"a":1}` + "\n", "line 1 of the archive: expected the first line of an archive"},
		{"a long first line", strings.Repeat(" ", 70_000) + "\n", "line 1 of the archive: expected a line of at most 65536 bytes"},
		{"newer", `{"wireroom":"archive","version":2,"more":1}` + "\n", "line 1 of the archive: expected an archive of a version from 1 to 1, found 2"},
		{"cut", header, "line 2 of the archive: the archive ends here"},
		{"cut within a line", header + log[:20], "line 2 of the archive: the archive ends here"},
		{"no JSON", header + "x\n", "line 2 of the archive: expected a line of an archive"},
		{"an unknown field", header + `{"log":{"class":"c","epok":"e"}}` + "\n", `line 2 of the archive: expected a line of an archive: unknown field "epok"`},
		{"a wrong type", header + `{"log":{"class":"c","epoch":5}}` + "\n", "line 2 of the archive: log.epoch: expected another type of value, found a number"},
		{"two values", header + log[:len(log)-1] + log, "line 2 of the archive: expected one JSON value"},
		{"an empty line", header + "{}\n", "line 2 of the archive: expected one of token, subscription, log, event and end, found 0"},
		{"a bad hash", header + `{"token":{"hash":"zz"}}` + "\n", "line 2 of the archive: hash: expected 64 hexadecimal digits"},
		{"no epoch", header + `{"log":{"class":"c","epoch":"","first":1,"next":1}}` + "\n", "line 2 of the archive: epoch: expected"},
		{"bounds", header + `{"log":{"class":"c","epoch":"e","first":5,"next":1}}` + "\n", "line 2 of the archive: expected offsets"},
		{"a huge offset", header + `{"log":{"class":"c","epoch":"e","first":1,"next":18446744073709551615}}` + "\n", "line 2 of the archive: expected offsets"},
		{"an event of no log", header + event(1), "line 2 of the archive: expected an event behind the log"},
		{"a gap", header + log + event(2), `line 3 of the archive: the log "c": expected the offset 1, found 2`},
		{"too many", header + log + event(1) + event(2) + event(3), `line 5 of the archive: the log "c": expected no more events, as it goes up to 2`},
		{"too few", header + log + event(1) + strings.Replace(log, `"c"`, `"d"`, 1), `line 4 of the archive: the log "c": expected the event with the offset 2`},
		{"time goes back", header + log + strings.Replace(event(1), ":01.000", ":03.000", 1) + event(2), `line 4 of the archive: the log "c": expected a time from`},
		{"a fraction of time", header + log + strings.Replace(event(1), ":01.000", ":01.0001", 1), "line 3 of the archive: time: expected whole milliseconds"},
		{"data twice", header + log + strings.Replace(event(1), `"data":{}`, `"data":{},"bytes":""`, 1), "line 3 of the archive: expected data or bytes"},
		{"a log twice", header + strings.Replace(log, "3", "1", 1) + strings.Replace(strings.Replace(log, "3", "1", 1), `"c"`, `"d"`, 1) + log, `line 4 of the archive: the log "c" is there twice`},
		{"a log begins anew before itself", header + log + event(1) + log, `line 4 of the archive: the log "c" begins anew: expected a first offset behind 1`},
		{"spans touch the position", header + fmt.Sprintf(subscription, "6,7"), "line 2 of the archive: events: acknowledged spans"},
		{"spans overflow", header + fmt.Sprintf(subscription, "18446744073709551615,1"), "line 2 of the archive: events: acknowledged spans"},
		{"changed", strings.Replace(whole, `"e"`, `"f"`, 1), "line 3 of the archive: the archive was changed"},
		{"other counts", strings.Replace(whole, `"logs":1`, `"logs":2`, 1), "line 3 of the archive: expected what was in the archive"},
		{"more behind", whole + "x", "line 4 of the archive: expected nothing behind the last line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readAll([]byte(test.text))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	if _, err := readAll([]byte(header)); !errors.Is(err, archive.ErrCut) {
		t.Errorf("cut: %v, want ErrCut", err)
	}
	// Every byte counts.
	for i := range whole {
		changed := []byte(whole)
		changed[i] ^= 1
		if _, err := readAll(changed); err == nil {
			t.Errorf("with byte %d changed it is read:\n%s", i, changed)
		}
	}
}

// FuzzReader reads what anybody may hand over: an error names a line, and what
// was read before it is written again as it was. The seeds have no last line, so
// that the checksum does not hide what comes before it.
func FuzzReader(f *testing.F) {
	for seed := range uint64(8) {
		data := write(f, randomEntries(seed))
		f.Add(data[:1+bytes.LastIndexByte(data[:len(data)-1], '\n')])
	}
	f.Add(write(f, randomEntries(9)))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := readAll(data)
		if e, ok := errors.AsType[*archive.Error](err); err != nil && (!ok || e.Line < 1 || e.Line > 2+bytes.Count(data, []byte("\n"))) {
			t.Fatalf("the error %v names no line of %q", err, data)
		}
		again, err := readAll(write(t, entries))
		if err != nil && !strings.Contains(err.Error(), "found the end of the log") { // what came last may lack some
			t.Fatalf("what was read cannot be read again: %v\n%q", err, data)
		}
		if !reflect.DeepEqual(entries, again) {
			t.Fatalf("%+v\nis read again as\n%+v", entries, again)
		}
	})
}
