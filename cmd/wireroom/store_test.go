package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/storetool"
	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/archive"
)

// noProgress tells nobody.
type noProgress struct{}

func (noProgress) Part(string, uint64) {}
func (noProgress) Add(int)             {}

// randomArchive returns an archive of a store that may be, as export writes it.
func randomArchive(t *testing.T, seed uint64) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	texts := []string{"", "a", "Ada é", "x y.z%", "{\"k\":\"v\"}", "𝄞"}
	text := func() string { return texts[r.IntN(len(texts))] }
	start := time.Now().Truncate(time.Second).UTC()
	at := func() time.Time { return start.Add(time.Duration(r.Int64N(1e6)) * time.Millisecond) } // none has expired for long
	var b bytes.Buffer
	w := archive.NewWriter(&b, archive.Header{Made: start})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range r.IntN(40) { // in the order of their expiry
		token := &auth.Token{
			Client: text(), User: text(), Realm: text(), Claims: text(), Created: at().Add(123), LastSeen: at(),
			Expires: start.Add(time.Duration(i) * time.Hour),
		}
		for j := range token.Hash {
			token.Hash[j] = byte(r.Uint32())
		}
		for range r.IntN(3) {
			token.Roles = append(token.Roles, text())
		}
		check(w.Token(token))
	}
	for i := range r.IntN(40) { // in the order of their owners
		p := &events.Persistent{
			Owner: fmt.Sprintf("o%02d\x00\xff", i), Name: "n" + text(), Class: "class-0", Channel: text(), Where: text(), Explicit: r.IntN(2) == 0,
			Created: at(), Seen: at(), Expires: at(), For: time.Duration(r.IntN(1e6)) * time.Millisecond,
			Position: events.Position{Epoch: "epoch-0", Offset: uint64(r.IntN(50))},
		}
		if r.IntN(2) == 0 {
			p.Acked = []events.Span{{From: p.Position.Offset + 2, Through: p.Position.Offset + 9}}
		}
		check(w.Subscription(p))
	}
	for i := range r.IntN(4) {
		bounds := events.Bounds{Epoch: fmt.Sprint("epoch-", i), First: 1 + r.Uint64N(1e6)}
		bounds.Next = bounds.First + r.Uint64N(1500)
		bounds.Base = r.Uint64N(bounds.Next)
		check(w.Log(fmt.Sprint("class-", i, []string{"", "@shop.example"}[i%2]), bounds))
		when := start
		for offset := bounds.First; offset < bounds.Next; offset++ {
			when = when.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
			data := []string{`{}`, `{"n": 1.50}`, "{\n}", `{"s":"é"}`, `no json`}[r.IntN(5)]
			check(w.Event(&events.Record{
				Offset: offset, ID: fmt.Sprint("id-", offset), IDGiven: r.IntN(2) == 0, Channel: text(), Time: when, Data: []byte(data),
			}))
		}
	}
	check(w.End())
	return b.Bytes()
}

// into makes a store of an archive, and outOf an archive of a store.
func into(t *testing.T, place config.Store, data []byte, c storetool.ImportConfig) error {
	t.Helper()
	c.Own = isOwnToken
	r, err := archive.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_, err = storetool.Import(t.Context(), r, place, c, noProgress{})
	return err
}

func outOf(t *testing.T, place config.Store, made time.Time) []byte {
	t.Helper()
	s, err := storetool.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b bytes.Buffer
	w := archive.NewWriter(&b, archive.Header{Made: made})
	if _, err := storetool.Export(t.Context(), s, w, storetool.ExportConfig{Secret: isSecretToken}, noProgress{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func placeOf(t *testing.T, name string) (s config.Store) {
	t.Helper()
	s = config.Default().Store
	if err := s.Use(name); err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever a store has, it has it again behind any number of moves, byte by
// byte; and each of them is sound.
func TestStoreMoves(t *testing.T) {
	url, _, _ := startRedis(t)
	for seed := range uint64(6) {
		want := randomArchive(t, seed)
		r := must(archive.NewReader(bytes.NewReader(want)))(t)
		inRedis := placeOf(t, url)
		inRedis.Redis.Prefix = fmt.Sprint("seed-", seed)
		data := want
		for i, place := range []config.Store{
			placeOf(t, filepath.Join(t.TempDir(), "a.db")), inRedis, placeOf(t, filepath.Join(t.TempDir(), "b.db")),
		} {
			if err := into(t, place, data, storetool.ImportConfig{}); err != nil {
				t.Fatalf("seed %d, move %d: %v", seed, i, err)
			}
			data = outOf(t, place, r.Header().Made)
			if !bytes.Equal(data, want) {
				t.Fatalf("seed %d, move %d: the archive is\n%.3000s\nwant\n%.3000s", seed, i, data, want)
			}
			s := must(storetool.Open(t.Context(), place))(t)
			_, err := storetool.Verify(t.Context(), s, func(string) *events.Class { return nil }, func(f storetool.Finding) {
				if !f.Warning && !strings.Contains(f.What, "no JSON") && !strings.Contains(f.What, "has acknowledged") {
					t.Errorf("seed %d, move %d: %+v", seed, i, f)
				}
			}, noProgress{})
			if err != nil {
				t.Error(err)
			}
			s.Close()
		}
	}
}

// What is in use is not replaced unless it is asked for, and what fails leaves
// a file as it was, and Redis empty.
func TestStoreImportRefuses(t *testing.T) {
	url, _, _ := startRedis(t)
	one, other := randomArchive(t, 1), randomArchive(t, 3)
	for _, name := range []string{filepath.Join(t.TempDir(), "a.db"), url} {
		place := placeOf(t, name)
		if err := into(t, place, one, storetool.ImportConfig{}); err != nil {
			t.Fatal(err)
		}
		var e *storetool.NotEmptyError
		if err := into(t, place, other, storetool.ImportConfig{}); !errors.As(err, &e) {
			t.Errorf("%s: import into what is in use: %v", name, err)
		}
		cut := other[:len(other)-200]
		if err := into(t, place, cut, storetool.ImportConfig{Replace: true}); !errors.Is(err, archive.ErrCut) {
			t.Errorf("%s: import of what was cut off: %v", name, err)
		}
		made := must(archive.NewReader(bytes.NewReader(one)))(t).Header().Made
		if place.Redis.URL == "" {
			if got := outOf(t, place, made); !bytes.Equal(got, one) {
				t.Errorf("%s: a failed import has changed the file", name)
			}
		} else if _, err := storetool.Open(t.Context(), place); err == nil {
			t.Errorf("%s: a failed import has left something", name)
		}
		if err := into(t, place, other, storetool.ImportConfig{Replace: true}); err != nil {
			t.Errorf("%s: replace: %v", name, err)
		}
		made = must(archive.NewReader(bytes.NewReader(other)))(t).Header().Made
		if got := outOf(t, place, made); !bytes.Equal(got, other) {
			t.Errorf("%s: the store is not what replaced it", name)
		}
	}
}

// With new epochs everything is as in the archive, but no position means
// anything any more.
func TestStoreNewEpochs(t *testing.T) {
	place := placeOf(t, filepath.Join(t.TempDir(), "a.db"))
	data := randomArchive(t, 2)
	if err := into(t, place, data, storetool.ImportConfig{NewEpochs: true}); err != nil {
		t.Fatal(err)
	}
	s := must(storetool.Open(t.Context(), place))(t)
	defer s.Close()
	n := 0
	err := s.EachLog(t.Context(), func(class string, b events.Bounds, _ bool) error {
		n++
		if strings.HasPrefix(b.Epoch, "epoch-") || b.Base != b.Next-1 {
			t.Errorf("the log %s has %+v", class, b)
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Errorf("%d logs, %v", n, err)
	}
}

// From a file to Redis, without losing an event or a login: the recipe of
// docs/cli.md. A client comes back with its old cookie and its old position.
func TestStoreFromFileToRedis(t *testing.T) {
	url, _, _ := startRedis(t)
	file := writeConfig(t, testConfig)
	moved := writeConfig(t, strings.Replace(testConfig, "store: file:wireroom.db", "store: "+url, 1))
	publish := func(p *program, n int) {
		t.Helper()
		data := fmt.Sprintf(`{"room": "lobby", "text": "text %d", "n": %d}`, n, n)
		if code, stdout, stderr := runCommand(t, "", "publish", "demo.message", data, "--http", p.base+"/events", "--key", testKey, "--id", fmt.Sprint("id-", n)); code != exitOK {
			t.Fatalf("publish: %d, %s%s", code, stdout, stderr)
		}
	}
	since := func(p *program, position string, n int) (offsets, epochs []string) {
		t.Helper()
		code, stdout, stderr := runCommand(t, "", "subscribe", "demo.message", "--since", position, "--count", fmt.Sprint(n), "-o", "json", "--url", p.ws())
		if code != exitOK {
			t.Fatalf("subscribe: %d, %s%s", code, stdout, stderr)
		}
		for line := range strings.Lines(stdout) {
			var e struct {
				Details struct {
					Offset int    `json:"_offset"`
					Epoch  string `json:"_epoch"`
				} `json:"details"`
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			offsets, epochs = append(offsets, fmt.Sprint(e.Details.Offset)), append(epochs, e.Details.Epoch)
		}
		return offsets, epochs
	}

	p := startProgram(t, file)
	for n := 1; n <= 5; n++ {
		publish(p, n)
	}
	v := newVisitor(t, p)
	_, client := v.session("POST")
	_, epochs := since(p, "0", 3)
	position := epochs[0] + ":3"
	if code, _, stderr := runCommand(t, "", "store", "info", "--config", file); code != exitFailure || !strings.Contains(stderr, "has it open") || !strings.Contains(stderr, "stop it first") {
		t.Errorf("store info beside a gateway: %d, %s", code, stderr)
	}
	if code := p.stop(); code != exitOK {
		t.Fatalf("serve ends with %d", code)
	}

	// wireroom store export | wireroom store import --config moved.yaml
	code, archived, stderr := runCommand(t, "", "store", "export", "--config", file)
	if code != exitOK || !strings.Contains(stderr, "5 events in 2 logs") || !strings.Contains(stderr, "keep it as safe") {
		t.Fatalf("export: %d, %s", code, stderr)
	}
	if strings.Contains(archived, auth.SecretPrefix) {
		t.Error("the archive has the text of a token")
	}
	code, stdout, stderr := runCommand(t, archived, "store", "import", "--config", moved)
	if code != exitOK || !strings.Contains(stdout, "5 events in 2 logs") {
		t.Fatalf("import: %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := runCommand(t, "", "store", "verify", "--config", moved); code != exitOK || !strings.Contains(stdout, "is sound: read 5 events") {
		t.Errorf("verify: %d, %s%s", code, stdout, stderr)
	}

	p = startProgram(t, moved)
	old := v.p
	v.p = p
	_, cookies := (&visitor{t, old, v.jar, v.http}).cookies()
	u, _ := v.cookies()
	v.jar.SetCookies(u, cookies) // another port is the same gateway
	if status, again := v.session("GET"); status != 200 || again != client {
		t.Errorf("the client comes back as %q, status %d; want %q", again, status, client)
	}
	publish(p, 5) // it was accepted before the move
	publish(p, 6)
	offsets, epochs := since(p, position, 3)
	if fmt.Sprint(offsets) != "[4 5 6]" || epochs[2]+":3" != position {
		t.Errorf("since %s there are the offsets %v of %v; want 4, 5 and 6 of the same epoch", position, offsets, epochs)
	}
	// The store in Redis can be looked at while the gateway runs.
	if code, stdout, stderr := runCommand(t, "", "store", "info", "--config", moved); code != exitOK || !strings.Contains(stdout, "1 to 6") || !strings.Contains(stdout, "appendfsync always: nothing is lost") {
		t.Errorf("info: %d, %s%s", code, stdout, stderr)
	}
	if code, _, stderr := runCommand(t, "", "store", "export", "--config", moved); code != exitOK || !strings.Contains(stderr, "6 events in 2 logs") {
		t.Errorf("export beside a gateway: %d, %s", code, stderr)
	}
	publish(p, 7)
}

// What people see.
func TestStoreCommands(t *testing.T) {
	file := writeConfig(t, strings.Replace(testConfig, "retain: {events: 10}", "retain: {events: 3, for: 1h}", 1))
	dir := filepath.Dir(file)
	place := placeOf(t, filepath.Join(dir, "wireroom.db"))
	run := func(wantCode int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := runCommand(t, "", append([]string{"store"}, args...)...)
		if code != wantCode {
			t.Fatalf("store %v: code %d, want %d\n%s%s", args, code, wantCode, stdout, stderr)
		}
		return stdout, stderr
	}
	has := func(text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("not there: %s\nin: %s", w, text)
			}
		}
	}

	_, stderr := run(exitFailure, "info", "--config", file)
	has(stderr, "no such file or directory", "a gateway makes its store when it starts")

	now := time.Now().UTC().Truncate(time.Millisecond)
	var b bytes.Buffer
	w := archive.NewWriter(&b, archive.Header{Made: now})
	log := func(class string, times ...time.Duration) {
		_ = w.Log(class, events.Bounds{Epoch: "e-1", First: 1, Next: uint64(len(times)) + 1})
		for i, ago := range times {
			_ = w.Event(&events.Record{Offset: uint64(i) + 1, ID: fmt.Sprint(i), Time: now.Add(-ago), Data: fmt.Appendf(nil, `{"id":%d}`, i)})
		}
	}
	_ = w.Token(&auth.Token{Hash: plainSlot, Client: "realm1", Expires: now.Add(1e6 * time.Hour)})
	_ = w.Token(&auth.Token{Hash: [32]byte{1}, Client: "c1", User: "ada", Expires: now.Add(-time.Hour)})
	_ = w.Token(&auth.Token{Hash: [32]byte{2}, Client: "c2", User: "ada", Expires: now.Add(time.Hour)})
	for i, ttl := range []time.Duration{-time.Hour, time.Hour} {
		_ = w.Subscription(&events.Persistent{
			Owner: "o", Name: fmt.Sprint(i), Class: "order.created", Created: now, Seen: now, Expires: now.Add(ttl), For: time.Hour,
			Position: events.Position{Epoch: "e-1", Offset: 1},
		})
	}
	log("gone.class", time.Hour)
	log("order.created", 3*time.Hour, 2*time.Hour, 4*time.Minute, 3*time.Minute, 2*time.Minute, time.Minute)
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.jsonl"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ := run(exitOK, "import", "--config", file, "--from", filepath.Join(dir, "a.jsonl"))
	has(stdout, "7 events in 2 logs, 3 tokens, 2 persistent subscriptions", "--new-epochs --replace")
	_, stderr = run(exitFailure, "import", "--config", file, "--from", filepath.Join(dir, "a.jsonl"))
	has(stderr, "the store is in use: it has 7 events, 2 tokens, 2 persistent subscriptions", "--replace")

	stdout, _ = run(exitOK, "info", "--config", file)
	has(stdout, "1 live, of 1 user; 1 expired", "order.created  realm1  e-1    1 to 6", "FURTHEST BEHIND\norder.created     realm1  1     1        5 events")
	stdout, _ = run(exitOK, "info", "--config", file, "-o", "json")
	var info storetool.Info
	if err := json.Unmarshal([]byte(stdout), &info); err != nil || len(info.Logs) != 2 || info.Logs[1].Last != 6 || info.Subscriptions[0].Behind != 5 {
		t.Errorf("info as JSON: %v, %s", err, stdout)
	}

	stdout, _ = run(exitOK, "verify", "--config", file)
	has(stdout, "is sound: read 7 events in 2 logs, 3 tokens, 2 persistent subscriptions; 0 faults")

	stdout, _ = run(exitOK, "trim", "--config", file, "--dry-run")
	plan := stdout
	has(plan, "order.created  3             3\n", "gone.class     0             1  the configuration retains no such class", "would remove 1 expired token and 1 expired persistent subscription")
	stdout, _ = run(exitOK, "trim", "--config", file, "--class", "gone.class", "-o", "json")
	has(stdout, `{"logs":[{"log":"gone.class","removed":0,"left":1,"unknown":true}],"tokens":0,"subscriptions":0}`)
	stdout, _ = run(exitOK, "trim", "--config", file)
	has(stdout, "order.created  3        3\n", "removed 1 expired token and 1 expired persistent subscription")
	stdout, _ = run(exitOK, "trim", "--config", file)
	has(stdout, "order.created  0        3\n", "removed 0 expired tokens")

	out := filepath.Join(dir, "orders.jsonl.gz")
	_, stderr = run(exitOK, "export", "--config", file, "--class", "order.created", "--since", "150s", "--to", out)
	has(stderr, "the archive has 2 events in 1 log, 0 tokens")
	_, stderr = run(exitFailure, "export", "--config", file, "--to", out)
	has(stderr, "is there already")
	_, stderr = run(exitUsage, "export", "--config", file, "--since", "yesterday")
	has(stderr, "--since: expected a time")
	_, stderr = run(exitOK, "import", "--from", out, "--store", filepath.Join(dir, "new.db"))
	has(stderr, "imported 2 events of order.created")
	_, stderr = run(exitOK, "export", "--config", file, "--class", "order.created", "--since", now.Add(-90*time.Second).Format(time.RFC3339), "--to", filepath.Join(dir, "one.jsonl"))
	has(stderr, "exported 1 event of order.created")
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("there are %v", left)
	}

	// An event that does not fit any more is a warning, a damaged one a fault.
	if err := into(t, place, must(damaged(now))(t), storetool.ImportConfig{Replace: true}); err != nil {
		t.Fatal(err)
	}
	stdout, stderr = run(exitFailure, "verify", "--config", file)
	has(stdout, "warning: log order.created, offset 1: does not fit its class any more", "damaged: log order.created, offset 2: its data is no JSON",
		`damaged: subscription "n" of "o": has acknowledged the offset 9 of the log order.created, which goes up to 2`, "is damaged: read 2 events", "2 faults, 2 warnings")
	has(stderr, "the store is damaged: 2 faults", "keep a copy")
	stdout, _ = run(exitFailure, "verify", "--config", file, "-o", "json")
	has(stdout, `{"where":"log order.created, offset 2","what":"its data is no JSON"}`, `"faults":2,"warnings":2}`)

	_, stderr = run(exitUsage, "trim", "--store", filepath.Join(dir, "new.db"))
	has(stderr, "expected the configuration")
	away := writeConfig(t, strings.Replace(testConfig, "store: file:wireroom.db", "store: redis+unix:///nowhere/redis.sock\nredis: {timeout: 100ms}", 1))
	_, stderr = run(exitUnreachable, "info", "--config", away)
	has(stderr, "as there is no such socket; tried for 100ms\nhint: is it running, and is that its unixsocket? Its place is at store, or given with --store\n")
}

// damaged returns an archive of a store in which not everything is as it should
// be.
func damaged(now time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := archive.NewWriter(&b, archive.Header{Made: now})
	_ = w.Token(&auth.Token{Hash: plainSlot, Client: "realm1", Expires: now.Add(1e6 * time.Hour)})
	for _, class := range []string{"order.created", "nothing"} {
		_ = w.Subscription(&events.Persistent{
			Owner: "o", Name: "n" + strings.TrimPrefix(class, "order.created"), Class: class, Created: now, Seen: now, Expires: now,
			Position: events.Position{Epoch: "e", Offset: 9},
		})
	}
	_ = w.Log("order.created", events.Bounds{Epoch: "e", First: 1, Next: 3})
	_ = w.Event(&events.Record{Offset: 1, ID: "a", Time: now, Data: []byte(`{"id":"no number"}`)})
	_ = w.Event(&events.Record{Offset: 2, ID: "b", Time: now, Data: []byte(`{"id":`)})
	err := w.End()
	return b.Bytes(), err
}

// A command that is interrupted ends soon, and leaves nothing behind.
func TestStoreInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	data := randomArchive(t, 3)
	pipe, feed := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	var stderr lockedBuffer
	go func() {
		done <- run(ctx, []string{"store", "import", "--store", path}, pipe, io.Discard, &stderr)
	}()
	if _, err := feed.Write(data[:len(data)/2]); err != nil {
		t.Fatal(err)
	}
	stop()
	if code := <-done; code != exitInterrupted {
		t.Errorf("code %d, want %d: %s", code, exitInterrupted, stderr.String())
	}
	_ = feed.Close() // whoever still reads
	if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
		t.Errorf("there are %v", left)
	}
}
