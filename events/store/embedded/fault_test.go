package embedded_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/embedded"
)

// appendTo appends one record whose data has the text.
func appendTo(s *embedded.Store, class, text string) error {
	done := make(chan error, 1)
	r := events.Record{Class: class, ID: "x", Time: time.Now(), Data: fmt.Appendf(nil, `{"text":%q}`, text)}
	s.Append([]events.Record{r}, func(_ []events.Appended, err error) { done <- err })
	return <-done
}

func mustAppend(t testing.TB, s *embedded.Store, text string) {
	t.Helper()
	if err := appendTo(s, "c", text); err != nil {
		t.Fatal(err)
	}
}

// offsets returns the offsets of the class "c", with the ids.
func offsets(t testing.TB, s *embedded.Store) map[uint64]string {
	t.Helper()
	all := make(map[uint64]string)
	r := events.Range{Class: "c", Through: 1 << 60, Limit: 1000, Bytes: 1 << 20}
	for {
		page, err := s.Read(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page.Records {
			all[rec.Offset] = rec.ID
		}
		if len(page.Records) == 0 {
			return all
		}
		r.After = page.After
	}
}

// child is what a process does that a test starts, by name.
var child = map[string]func(path string){"publish": publishForever, "limited": publishLimited, "subscribe": subscribeForever}

func TestMain(m *testing.M) {
	if fn := child[os.Getenv("EMBEDDED_TEST_CHILD")]; fn != nil {
		fn(os.Getenv("EMBEDDED_TEST_FILE"))
		return
	}
	os.Exit(m.Run())
}

func startChild(t *testing.T, name, path string) (cmd *exec.Cmd, out *bufio.Scanner) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EMBEDDED_TEST_CHILD="+name, "EMBEDDED_TEST_FILE="+path)
	cmd.Stderr = t.Output()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // no error if it has ended
		cmd.Wait()         // an error if it was killed
	})
	return cmd, bufio.NewScanner(pipe)
}

// publishForever appends with several publishers and prints each record once
// it is acknowledged.
func publishForever(path string) {
	s, err := embedded.Open(path, embedded.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println("error", err)
		return
	}
	base := time.Now().UnixNano()
	var n atomic.Int64
	for range 16 {
		go func() {
			for {
				id := fmt.Sprint(base, "-", n.Add(1))
				done := make(chan struct{})
				r := events.Record{Class: "c", ID: id, IDGiven: true, Time: time.Now(), Data: []byte(`{}`)}
				s.Append([]events.Record{r}, func(results []events.Appended, err error) {
					if err != nil {
						fmt.Println("error", err)
					} else {
						fmt.Println(results[0].Offset, id) // one write(2), so it is out or it is not
					}
					close(done)
				})
				<-done
			}
		}()
	}
	select {}
}

// TestKill kills a publishing process, again and again: whatever it said was
// safe must be there, and no offset missing.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	acknowledged := make(map[uint64]string)
	for round := range 5 {
		cmd, out := startChild(t, "publish", path)
		want := 50 + round*137
		for seen := 0; out.Scan(); seen++ {
			var offset uint64
			var id string
			if _, err := fmt.Sscan(out.Text(), &offset, &id); err != nil {
				t.Fatalf("the child says %q", out.Text())
			}
			if other, ok := acknowledged[offset]; ok {
				t.Fatalf("offset %d was given to %s and to %s", offset, other, id)
			}
			acknowledged[offset] = id
			if seen == want {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		s := open(t, filepath.Dir(path))
		there := offsets(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for offset, id := range acknowledged {
			if there[offset] != id {
				t.Fatalf("round %d: at offset %d is %q, want %q", round, offset, there[offset], id)
			}
		}
		for offset := range uint64(len(there)) {
			if there[offset+1] == "" {
				t.Fatalf("round %d: nothing is at offset %d, of %d", round, offset+1, len(there))
			}
		}
	}
	if len(acknowledged) < 500 {
		t.Errorf("only %d records were acknowledged", len(acknowledged))
	}
}

// fillUp appends until the store is full, first many records at a time and then
// one, and returns how many it took. Then it makes room and appends some more.
func fillUp(s *embedded.Store, room func() error) (taken int, err error) {
	r := events.Record{Class: "c", ID: "x", Time: time.Now(), Data: []byte(`{"text":"` + strings.Repeat("x", 100_000) + `"}`)}
	put := func(n int) error {
		done := make(chan error, 1)
		s.Append(slices.Repeat([]events.Record{r}, n), func(_ []events.Appended, err error) { done <- err })
		err := <-done
		if err == nil {
			taken += n
		}
		return err
	}
	for _, n := range []int{16, 1} {
		for err = nil; err == nil && taken < 10_000; {
			err = put(n)
		}
		if !errors.Is(err, events.ErrFull) {
			return taken, fmt.Errorf("after %d records: %v, want ErrFull", taken, err)
		}
	}
	// It can be read, and stays full without harm.
	if err := put(1); !errors.Is(err, events.ErrFull) {
		return taken, fmt.Errorf("once more: %v, want ErrFull", err)
	}
	if err := room(); err != nil {
		return taken, err
	}
	for range 10 {
		if err := put(1); err != nil {
			return taken, fmt.Errorf("with room again: %w", err)
		}
	}
	return taken, nil
}

// wantTaken checks that exactly what was acknowledged is there.
func wantTaken(t *testing.T, s *embedded.Store, taken int) {
	t.Helper()
	there := offsets(t, s)
	if len(there) != taken || there[uint64(taken)] == "" {
		t.Errorf("%d records are there, and %d were acknowledged", len(there), taken)
	}
}

func TestFull(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.SetMaxSize(20 << 20)
	taken, err := fillUp(s, func() error {
		s.SetMaxSize(0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantTaken(t, s, taken)
	if got := s.Stats().Failures; got != 3 {
		t.Errorf("%d failures counted, want 3", got)
	}
	s.Close()
	s = open(t, dir)
	defer s.Close()
	wantTaken(t, s, taken)
}

// TestFullDisk does it on a real file system that is too small, where it may.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=20m"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 10<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer func() { s.Close() }()
	taken, err := fillUp(s, func() error { return os.Remove(ballast) })
	if err != nil {
		t.Fatal(err)
	}
	wantTaken(t, s, taken)
	s.Close()
	s = open(t, dir)
	wantTaken(t, s, taken)
}

// TestFileLimit does it in a process that may write no larger files.
func TestFileLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wireroom.db")
	_, out := startChild(t, "limited", path)
	var taken int
	for out.Scan() {
		if _, err := fmt.Sscanf(out.Text(), "taken %d", &taken); err != nil {
			t.Fatalf("the child says: %s", out.Text())
		}
	}
	if taken < 50 {
		t.Fatalf("the child took %d records", taken)
	}
	s := open(t, filepath.Dir(path))
	defer s.Close()
	wantTaken(t, s, taken)
}

func publishLimited(path string) {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	set := func(bytes uint64) error {
		limit.Cur = bytes
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	}
	err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit)
	if err == nil {
		err = set(40 << 20)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := embedded.Open(path, embedded.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	taken, err := fillUp(s, func() error { return set(limit.Max) })
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("taken", taken)
}

// TestQueueBound: whoever finds the queue full waits, is counted, and loses
// nothing.
func TestQueueBound(t *testing.T) {
	config := embedded.DefaultConfig()
	config.QueueRecords = 4
	s, err := embedded.Open(filepath.Join(t.TempDir(), "x.db"), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := s.Hold()
	var acknowledged atomic.Int64
	var publisher, all sync.WaitGroup
	all.Add(20)
	publisher.Go(func() {
		for range 20 {
			s.Append([]events.Record{{Class: "c", ID: "x", Data: []byte(`{}`)}}, func(_ []events.Appended, err error) {
				if err == nil {
					acknowledged.Add(1)
				}
				all.Done()
			})
		}
	})
	for s.Stats().Waits == 0 {
		runtime.Gosched()
	}
	if n := s.Stats().Queued; n != 4 {
		t.Errorf("%d records are queued, want 4", n)
	}
	if n := acknowledged.Load(); n != 0 {
		t.Errorf("%d records acknowledged before any was written", n)
	}
	release()
	publisher.Wait()
	all.Wait()
	if n, st := acknowledged.Load(), s.Stats(); n != 20 || st.Records != 20 || st.Queued != 0 {
		t.Errorf("%d of 20 records acknowledged; %+v", n, st)
	}
}

// What one commit has is bounded.
func TestBatchBound(t *testing.T) {
	config := embedded.DefaultConfig()
	config.BatchRecords = 8
	s, err := embedded.Open(filepath.Join(t.TempDir(), "x.db"), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := s.Hold()
	var all sync.WaitGroup
	all.Add(20)
	for range 20 {
		s.Append([]events.Record{{Class: "c", ID: "x", Data: []byte(`{}`)}}, func([]events.Appended, error) { all.Done() })
	}
	release()
	all.Wait()
	if st := s.Stats(); st.Commits+st.Batches != 1+3 {
		t.Errorf("%d commits and %d batches, want 4 in all: one held, then 8, 8 and 4 records", st.Commits, st.Batches)
	}
}
