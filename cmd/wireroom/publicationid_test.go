package main

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/wireroom/wireroom/router/wamp"
)

// The ID of an event leads back to its offset, which is how a log is asked for
// a publication.
func TestPublicationIDs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	n := numberingOf("order.created", "x7Kd")
	offsets := []uint64{1, 2, 3, 1 << 27, 1<<53 - 1}
	for range 10_000 {
		offsets = append(offsets, 1+rng.Uint64N(1<<53-1))
	}
	for _, offset := range offsets {
		id := n.id(offset)
		if id < 1 || id > wamp.MaxID || n.offset(id) != offset {
			t.Fatalf("offset %d has the ID %d, which leads to the offset %d", offset, id, n.offset(id))
		}
	}
}

// Logs are numbered so to this day: an ID that a client has kept must mean the
// same event after an upgrade.
func TestPublicationIDsStay(t *testing.T) {
	for offset, want := range map[uint64]wamp.ID{1: 1448598734506383, 2: 8882253682398356} {
		if got := publicationID("order.created", "x7Kd", offset); got != want {
			t.Errorf("the ID at offset %d is %d, want %d", offset, got, want)
		}
	}
	if got := publicationID("order.created", "", 0); got != 0 {
		t.Errorf("an event that is not retained has the ID %d", got)
	}
}

// Neighbours have nothing in common, nor have events at the same place of
// different logs.
func TestPublicationIDsLookRandom(t *testing.T) {
	seen := map[wamp.ID]bool{}
	changed, pairs := 0, 0
	for _, log := range [][2]string{{"a.b", "e1"}, {"a.b", "e2"}, {"a.c", "e1"}, {"a.", "be1"}} {
		n := numberingOf(log[0], log[1])
		for offset := range uint64(5000) {
			id := n.id(offset + 1)
			if seen[id] {
				t.Fatalf("%v: the ID %d is there twice", log, id)
			}
			seen[id] = true
			changed += bits.OnesCount64(uint64(id-1) ^ uint64(n.id(offset+2)-1))
			pairs++
		}
	}
	if mean := float64(changed) / float64(pairs); mean < 25.5 || mean > 27.5 {
		t.Errorf("from one event to the next %.2f of 53 bits change, want about half", mean)
	}
}
