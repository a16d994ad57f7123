package interop_test

import "testing"

// A page that listens with EventSource misses nothing when its network breaks.
func TestEventSource(t *testing.T) {
	t.Parallel()
	node := needBrowser(t)
	g := startGateway(t)
	network := newCable(t, g.addr)
	done := false
	s := startClient(t, node.env, node.path, "testdata/eventsource.mjs", "http://"+network.addr+"/", t.ArtifactDir())
	for name, rest := range s.steps(t) {
		text, _ := rest["text"].(string)
		data := map[string]any{"room": "lobby", "text": text}
		switch name {
		case "post":
			s.answer(t, func() { g.postHTTP(t, "demo.message", data) })
		case "break":
			s.answer(t, func() {
				network.cut()
				g.postHTTP(t, "demo.message", data)
				network.mend(t)
			})
		case "done":
			done = true
		default:
			t.Fatalf("the script asks for %q", name)
		}
	}
	if !done {
		t.Error("the script did not come to its end")
	}
}
