package router

import (
	"testing"
	"testing/synctest"
	"time"
)

// Lanes that are closed start no timer any more, and one that nobody has stood
// in yet can be closed.
func TestClosedLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(flushers)
		f.wake.L = &f.mu
		var l lanes
		l.init(f)
		s := &Session{router: &Router{}}
		stand := func(linger time.Duration) {
			if got := s.out.pushLocked(entry{frame: []byte{1}}, linger); got != lingerIt {
				t.Fatalf("push: %v, want that it lingers", got)
			}
			l.add(linger, []*Session{s})
		}
		s.out.limit = 100
		stand(time.Second)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(f.queue.all) != 1 {
			t.Fatalf("%d sessions are to be flushed after the linger time, want 1", len(f.queue.all))
		}
		s.out.duty = nobody
		stand(time.Second)
		l.byTime[time.Minute] = &lane{lanes: &l, linger: time.Minute}
		l.close()
		l.add(time.Millisecond, []*Session{s})
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(f.queue.all) != 1 {
			t.Errorf("%d sessions are to be flushed by closed lanes, want none more", len(f.queue.all)-1)
		}
	})
}
