package transport

import (
	"sync"
	"sync/atomic"
)

// idleWorkers is how many goroutines of a crew wait for work at most. A few
// for each core do nearly all of it; the others are there because a task
// waited for something.
const idleWorkers = 16

// A task is something that takes a deep stack for a short time.
type task interface{ work() }

// A crew carries out tasks on goroutines that it keeps. Their stacks have
// grown to what the tasks need, which a new goroutine would have to do each
// time, in two or three steps that copy the stack. As many tasks run at the
// same time as are asked for.
type crew struct {
	// Fixed at construction.
	wg    *sync.WaitGroup // the workers; who calls do must be counted in it, too
	tasks chan task       // unbuffered: there is room when a worker waits; never closed
	quit  <-chan struct{} // closed to end the workers that wait

	idle atomic.Int32 // workers that wait, or are about to
}

func (c *crew) init(wg *sync.WaitGroup, quit <-chan struct{}) {
	c.wg, c.tasks, c.quit = wg, make(chan task), quit
}

// do has t carried out. It does not wait.
func (c *crew) do(t task) {
	select {
	case c.tasks <- t:
	default:
		c.wg.Go(func() { c.run(t) })
	}
}

// run is a worker that begins with t.
func (c *crew) run(t task) {
	for {
		t.work()
		t = nil
		if c.idle.Add(1) > idleWorkers {
			c.idle.Add(-1)
			return
		}
		select {
		case t = <-c.tasks:
			c.idle.Add(-1)
		case <-c.quit:
			return
		}
	}
}
