package nodes_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/nodes"
)

// A gateway whose configuration is not the newest says so once for each that comes,
// and what is different as far as it is known.
func TestConfiguration(t *testing.T) {
	var log bytes.Buffer // written by this goroutine only
	e := &end{wire: new(wire), name: "a", knows: map[string]bool{}}
	m := nodes.New(e, &e.cred, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})))
	defer m.Close()
	gateways := func(newest ...string) (all []nodes.Gateway) {
		for _, id := range []string{"a", "b", "c"} {
			all = append(all, nodes.Gateway{Node: id, Name: "name-of-" + id, Newest: slices.Contains(newest, id)})
		}
		return all
	}
	many := strings.Split("1 2 3 4 5 6 7 8 9 10", " ")
	for _, step := range []struct {
		name   string
		told   nodes.Configuration
		stale  string
		others int
		logged string // part of what is logged; "": nothing is
	}{
		{"nobody has said anything", nodes.Configuration{}, "", 0, ""},
		{"it has the newest", nodes.Configuration{Epoch: 1, By: "b", Gateways: gateways("a", "b", "c")}, "", 0, "this gateway has the newest configuration"},
		{"another one is behind", nodes.Configuration{Epoch: 1, By: "b", Gateways: gateways("a", "b")}, "", 1, ""},
		{"it is not known itself", nodes.Configuration{Epoch: 1, By: "b", Gateways: gateways("a", "b", "c")[1:]}, "", 0, ""},
		{
			"a newer one came",
			nodes.Configuration{Epoch: 2, By: "b", Differs: []string{"class x", "role y"}, Gateways: gateways("b")},
			"another configuration came with the gateway b (epoch 2), and this gateway does not have it", 2, `epoch=2 by=b differs="class x; role y"`,
		},
		{
			"another one has it, too",
			nodes.Configuration{Epoch: 2, By: "b", Gateways: gateways("b", "c")},
			"another configuration came with the gateway b (epoch 2), and this gateway does not have it", 1, "",
		},
		{
			"one more, and it is not known what is different",
			nodes.Configuration{Epoch: 3, By: "c", Gateways: gateways("c")},
			"another configuration came with the gateway c (epoch 3), and this gateway does not have it", 2, `differs="not known"`,
		},
		{
			"much is different",
			nodes.Configuration{Epoch: 4, By: "c", Differs: many, Gateways: gateways("c")},
			"another configuration came with the gateway c (epoch 4), and this gateway does not have it", 2, `differs="1; 2; 3; 4; 5; 6; 7; 8 and 2 more"`,
		},
		{"it has the newest again", nodes.Configuration{Epoch: 5, By: "a", Gateways: gateways("a")}, "", 2, "epoch=5 by=a"},
	} {
		t.Run(step.name, func(t *testing.T) {
			log.Reset()
			m.Configured(step.told)
			if got := m.Stale(); got != step.stale {
				t.Errorf("Stale = %q, want %q", got, step.stale)
			}
			if got := m.Stats().Differ; got != step.others {
				t.Errorf("%d gateways have another configuration, want %d", got, step.others)
			}
			if got := log.String(); !strings.Contains(got, step.logged) || step.logged == "" && got != "" || strings.Count(got, "\n") > 1 {
				t.Errorf("logged:\n%swant %q", got, step.logged)
			}
		})
	}
}
