package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wireroom/wireroom/events/store/embedded"
)

// A disk keeps what was synced, and of what was written since any part.
type disk struct {
	random *rand.Rand
	safe   []byte
	writes []write
	fail   error // what Sync returns once, if it is not nil
}

type write struct {
	at   int64
	data []byte
}

func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > int64(len(d.safe)) {
		return 0, fmt.Errorf("%d bytes at %d are outside of the file, which has %d", len(p), at, len(d.safe))
	}
	d.writes = append(d.writes, write{at, bytes.Clone(p)})
	return len(p), nil
}

func (d *disk) Sync() error {
	if err := d.fail; err != nil {
		d.fail = nil
		return err
	}
	for _, w := range d.writes {
		copy(d.safe[w.at:], w.data)
	}
	d.writes = nil
	return nil
}

func (d *disk) Close() error { return nil }

// lose returns what is there after a loss of power: of what was written and not
// synced, some sectors.
func (d *disk) lose() []byte {
	const sector = 512
	there := bytes.Clone(d.safe)
	for _, w := range d.writes {
		for i := 0; i < len(w.data); i += sector {
			if d.random.IntN(2) == 0 {
				copy(there[w.at+int64(i):], w.data[i:min(i+sector, len(w.data))])
			}
		}
	}
	return there
}

// Power is lost at any moment of a journal's life: what was acknowledged since
// the last rewinding is there, in order, and behind it at most what was being
// written.
func TestJournalPower(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		const size = 16 * 4096
		d := &disk{random: random, safe: make([]byte, size)}
		j := embedded.NewTestJournal(d, size)
		var acknowledged [][]byte // since the last rewinding
		var tried [][]byte        // since the last one that was acknowledged
		var through uint64        // what the store's file has
		for step := range 60 {
			payload := bytes.Repeat([]byte{byte(step + 1)}, 1+random.IntN(3*4096))
			rewind := random.IntN(12) == 0
			if !j.Fits(len(payload)) || rewind {
				through = j.Reach() // everything was put into the store's file
				j.Rewind()
				acknowledged, tried = nil, nil
				if !j.Fits(len(payload)) {
					t.Fatalf("an empty journal of %d bytes has no room for %d", size, len(payload))
				}
			}
			if random.IntN(10) == 0 {
				d.fail = errors.New("broken")
			}
			// While it is written, and before it is acknowledged.
			tried = append(tried, payload)
			if err := j.Append(payload); err == nil {
				acknowledged = append(acknowledged, payload)
				tried = nil
			}
			check(t, d.lose(), through, acknowledged, tried)
		}
	}
}

func check(t *testing.T, there []byte, through uint64, acknowledged, tried [][]byte) {
	t.Helper()
	payloads, err := embedded.Pending(there, through)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(acknowledged); len(payloads) == n+1 && slices.ContainsFunc(tried, func(p []byte) bool { return bytes.Equal(p, payloads[n]) }) {
		payloads = payloads[:n]
	}
	if !slices.EqualFunc(payloads, acknowledged, bytes.Equal) {
		t.Fatalf("%d batches are there after a loss of power, of lengths %v; %d were acknowledged, %v", len(payloads), lengths(payloads), len(acknowledged), lengths(acknowledged))
	}
}

func lengths(payloads [][]byte) (all []int) {
	for _, p := range payloads {
		all = append(all, len(p))
	}
	return all
}

// A journal of a round before, of which a part was written again.
func TestJournalRounds(t *testing.T) {
	const size = 16 * 4096
	d := &disk{safe: make([]byte, size)}
	j := embedded.NewTestJournal(d, size)
	for range 9 {
		if err := j.Append([]byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	j.Rewind()
	for _, text := range []string{"eleven", "twelve"} {
		if err := j.Append([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		through uint64
		want    string
	}{
		{9, "a gap"},
		{10, "[eleven twelve]"},
		{11, "[twelve]"},
		{12, "[]"},
		{99, "[]"},
	} {
		payloads, err := embedded.Pending(d.safe, test.through)
		got := fmt.Sprintf("%s", payloads)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("after the batch %d there are %s, want %s", test.through, got, test.want)
		}
	}
}

// FuzzJournal: whatever a journal's file has, it is read without harm, and what
// is found in it is what a journal would have written there.
func FuzzJournal(f *testing.F) {
	const size = 5 * 4096
	d := &disk{safe: make([]byte, size)}
	j := embedded.NewTestJournal(d, size)
	for _, n := range []int{1, 4096, 10} {
		if err := j.Append(bytes.Repeat([]byte("x"), n)); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(d.safe, uint32(4096), byte(0)) // with the numbers 1 to 3, of which none is in the store's file
	f.Add(d.safe, uint32(8192+30), byte(1))
	f.Add(d.safe[:4096], uint32(0), byte(0))
	f.Add([]byte{}, uint32(0), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, at uint32, flip byte) {
		b = bytes.Clone(b)
		if len(b) > 0 {
			b[int(at)%len(b)] ^= flip
		}
		payloads, err := embedded.Pending(b, 0)
		if err != nil {
			return
		}
		offset := 4096
		for i, payload := range payloads {
			end := offset + 20 + len(payload)
			if end > len(b) || !bytes.Equal(b[offset+20:end], payload) {
				t.Fatalf("the batch %d is not what is in the file from %d to %d", i, offset, end)
			}
			offset = (end + 4095) &^ 4095
		}
	})
}
