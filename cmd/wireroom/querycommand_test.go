package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const queryConfig = `
roles: {anonymous: {subscribe: ["*"]}}
classes:
  order.created:
    unknown: reject
    fields:
      total: {type: number, required: true}
      placed: {type: time}
      tags: {type: array, items: {type: string}}
    channel: customer
  other.thing: {}
`

// What query test and query explain say, and how they end.
func TestQueryCommands(t *testing.T) {
	file := writeConfig(t, strings.Replace(queryConfig, "      tags:", "      customer: {type: string}\n      tags:", 1))
	const orders = `{"total": 120, "tags": ["new"]}
{"class": "order.created", "id": "o2", "time": "2026-01-31T12:00:00Z", "data": {"total": 80, "placed": "2026-01-31T13:00:00+01:00", "customer": "ada"}}

{"topic": "order.created.ada", "kwargs": {"total": 5, "customer": "ada"}, "details": {"_event_id": "o3", "_class": "order.created", "_time": "2026-02-01T00:00:00Z"}}
{"class": "other.thing", "data": {"x": 1}}
`
	tests := []struct {
		name   string
		stdin  string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{
			"why", orders,
			[]string{"test", `total > 100`, "-"},
			exitOK, `line 1: true: total > 100, and total is 120
line 2: false: total > 100, and total is 80
line 4: false: total > 100, and total is 5
line 5: error: total > 100, and total is not there
`, "1 of 4 events matched\n",
		},
		{
			"a class", orders,
			[]string{"test", `placed == timestamp("2026-01-31T12:00:00Z") && topic == "order.created" || topic.endsWith(".ada") && time < timestamp("2026-02-02T00:00:00Z")`, "-", "--class", "order.created", "--config", file},
			exitOK, `line 1: error: placed == timestamp("2026-01-31T12:00:00Z"), and placed is not there
line 2: true: placed == timestamp("2026-01-31T12:00:00Z"), and placed is timestamp("2026-01-31T12:00:00Z"); topic == "order.created", and topic is "order.created"
line 4: true: topic.endsWith(".ada"), and topic is "order.created.ada"; time < timestamp("2026-02-02T00:00:00Z"), and time is timestamp("2026-02-01T00:00:00Z")
line 5: passed over: an event of other.thing
`, "2 of 3 events matched\n",
		},
		{
			"events that do not fit", `{"total": "80"}` + "\n" + `{"total": 101, "customer": "bob"}`,
			[]string{"test", `topic == "order.created.bob"`, "-", "--class", "order.created", "--config", file},
			exitFailure, `line 2: true: topic == "order.created.bob", and topic is "order.created.bob"`, "wireroom: 1 of 1 event matched, and 1 line is no event\n",
		},
		{"no match", `{"a": 1}`, []string{"test", `a == 2`, "-"}, exitFailure, "line 1: false: a == 2, and a is 1\n", "wireroom: 0 of 1 event matched\n"},
		{"no events", "\n\n", []string{"test", `a == 2`, "-"}, exitFailure, "", "wireroom: expected events, found none\n"},
		{"no JSON", "a\n[1]\nnull\n", []string{"test", `a == 2`, "-"}, exitFailure, `line 1: no event: expected a JSON object, found "a"
line 2: no event: expected a JSON object, found "[1]"
line 3: no event: expected a JSON object, found "null"
`, "3 lines are no events"},
		{"no time", `{"class": "a", "time": "now", "data": {}}`, []string{"test", `a == 2`, "-"}, exitFailure, `line 1: no event: time: expected a time such as "2026-01-31T12:00:00Z", found "\"now\""`, ""},
		{"nothing for a terminal", `{"a": "\u009b31m"}`, []string{"test", `a == ""`, "-"}, exitFailure, `\u009b31m`, ""},
		{"no file", "", []string{"test", `a == 2`, "/nowhere/events.jsonl"}, exitFailure, "", "read the events: open /nowhere/events.jsonl"},
		{"in JSON", orders, []string{"test", `total > 100 || missing`, "-", "-o", "json"}, exitOK, `{"line":1,"matches":true,"truth":"true","reasons":[{"text":"total > 100","offset":0,"found":"total is 120"}]}
{"line":2,"id":"o2","matches":false,"truth":"error","reasons":[{"text":"missing","offset":15,"found":"missing is not there"}]}
`, "1 of 4 events matched\n"},
		{"a bad query", "", []string{"test", `total > 100 and paid`, "-"}, exitUsage, "", "wireroom: the query: 1:13: expected &&, || or the end, found \"and\"; write &&\n    total > 100 and paid\n                ^\n"},
		{"a bad query in JSON", "", []string{"test", `total = 100`, "-", "-o", "json"}, exitUsage, `{"error":{"line":1,"column":7,"offset":6,"text":"expected a comparison, found a single \"=\"; equality is =="}}`, "the query: 1:7:"},
		{"a query on two lines", "", []string{"explain", "å ==\n\ttotal"}, exitUsage, "", "the query: 1:1: "},
		{"an error on the second line", "", []string{"explain", "a ==\n\t= 1"}, exitUsage, "", "     = 1\n     ^\n"},
		{"an error at the end", "", []string{"explain", "a == "}, exitUsage, "", "    a == \n         ^\n"},
		{"an error far to the right", "", []string{"explain", strings.Repeat("a && ", 20) + "b = 1 && " + strings.Repeat("a && ", 20)}, exitUsage, "", "    …" + strings.Repeat("a && ", 20)[42:] + "b = 1 && a && a && a && a && a &…\n" + strings.Repeat(" ", 4+61) + "^\n"},
		{"a field that the class lacks", "", []string{"explain", `paid && totl > 1`, "--class", "order.created", "--config", file}, exitUsage, "", "the query: 1:1: expected one of the fields of order.created, customer, placed, tags, total, found \"paid\"\n    paid && totl > 1\n    ^\n"},
		{"a comparison that never holds", "", []string{"test", `total == "100"`, "-", "--class", "order.created", "--config", file}, exitUsage, "", "expected a number to compare total with"},
		{"no such class", "", []string{"explain", `a`, "--class", "order.creatd", "--config", file}, exitUsage, "", `--class: expected one of the event classes order.created, other.thing, found "order.creatd"`},
		{"no such realm", "", []string{"explain", `a`, "--class", "order.created", "--realm", "r9", "--config", file}, exitUsage, "", `the configuration has none there`},
		{"no configuration", "", []string{"explain", `a`, "--class", "order.created", "--config", "/nowhere/x.yaml"}, exitConfig, "", "cannot be read"},
		{"a configuration without a class", "", []string{"explain", `a`, "--config", file}, exitUsage, "", "only with --class"},
		{"explain", "", []string{"explain", `b && !(a==1 || items.exists(i, i.x > 1))`}, exitOK, `query   b && !(a == 1 || items.exists(i, i.x > 1))
normal  !items.exists(x, x.x > 1) && a != 1 && b
hash    `, ""},
		{"explain a class", "", []string{"explain", `total > 1`, "--class", "order.created", "--config", file}, exitOK, "class   order.created: it fits\ntree\n  total > 1\n", ""},
		{"explain in JSON", "", []string{"explain", `a && !b`, "-o", "json"}, exitOK, `"tree":{"op":"and","text":"a && !b","offset":0,"kids":[{"op":"leaf","text":"a","offset":0},{"op":"not","text":"!b","offset":5,"kids":[{"op":"leaf","text":"b","offset":6}]}]},"keys":["!b"],"fields":["a","b"],"cost":{"anchored":true,"share":0.5,"work":2,"cost":1}}`, ""},
		{"explain what is not anchored", "", []string{"explain", `a != 1`, "-o", "json"}, exitOK, `"keys":null,"fields":["a"],"cost":{"anchored":false,"share":1,"work":1,"cost":1}}`, ""},
		{"explain the cost", "", []string{"explain", `a in [1, 2] && b > 1`}, exitOK, "keys\n  a == 1 && b > 1\n  a == 2 && b > 1\ncost    0.02: only events with one of the keys are compared with it, taken for 1 in 100; 2 comparisons each\n", ""},
		{"explain what is never true", "", []string{"explain", `a && false`}, exitOK, "cost    0: it is never true, and no event is compared with it\n", ""},
		{"help", "", nil, exitOK, "Available Commands", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := runCommand(t, tt.stdin, append([]string{"query"}, tt.args...)...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("query %s: code %d, want %d\nstdout %q, want %q\nstderr %q, want %q",
					strings.Join(tt.args, " "), code, tt.code, stdout, tt.stdout, stderr, tt.stderr)
			}
		})
	}
}

// An event without a time happens now.
func TestQueryTestOfNow(t *testing.T) {
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	code, stdout, stderr := runCommand(t, `{"a":1}`, "query", "test", `time > timestamp("`+past+`") && time < timestamp("`+soon+`")`, "-")
	if code != exitOK {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
}

// What subscribe prints, and files, can be tested.
func TestQueryTestOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.jsonl")
	long := strings.Repeat("x", 1<<20)
	if err := os.WriteFile(file, []byte(`{"a":"`+long+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runCommand(t, "", "query", "test", `a.endsWith("x")`, file, "-o", "json")
	var said testedEvent
	if err := json.Unmarshal([]byte(stdout), &said); err != nil || code != exitOK || !said.Matches || len(stdout) > 1000 {
		t.Errorf("code %d, %v, %d bytes\n%.300s\n%s", code, err, len(stdout), stdout, stderr)
	}
}
