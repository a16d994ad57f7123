package transport

import "sync"

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
	wg *sync.WaitGroup // the workers; who calls do must be counted in it, too

	mu     sync.Mutex  // guards the following
	idle   []chan task // of workers that wait; the last one has worked last
	closed bool        // nobody waits any more
}

// do has t carried out. It does not wait.
func (c *crew) do(t task) {
	c.mu.Lock()
	if last := len(c.idle) - 1; last >= 0 {
		worker := c.idle[last]
		c.idle = c.idle[:last]
		c.mu.Unlock()
		worker <- t // has room
		return
	}
	c.mu.Unlock()
	c.wg.Go(func() { c.run(t) })
}

// run is a worker that begins with t.
func (c *crew) run(t task) {
	next := make(chan task, 1) // closed by close, when the worker waits
	for ok := true; ok; t, ok = <-next {
		t.work()
		if !c.wait(next) {
			return
		}
	}
}

// wait notes that a worker waits for tasks, and reports whether it should.
func (c *crew) wait(next chan task) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle) == idleWorkers {
		return false
	}
	c.idle = append(c.idle, next)
	return true
}

// close ends the workers that wait, and others when they have done their task.
func (c *crew) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, next := range c.idle {
		close(next)
	}
	c.idle = nil
}
