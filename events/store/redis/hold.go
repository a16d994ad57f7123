package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/wireroom/wireroom/events"
)

var (
	scriptHold  = newScript("attend", "hold")
	scriptLetGo = newScript("letgo")
)

// held is the key of who has which task.
func (k keys) held() string { return k.base + "held" }

// Hold gives this node each of the tasks that no other node has which is there,
// and reports of each whether this node has it now. What it has no other node gets
// for the time sure, from before the call on; by then Hold is to be called again.
// A task is any text, the same for all gateways; it is the node's until the node
// is taken for gone, or [Store.LetGo] is called.
//
// It asks Redis once, and waits for the answer no longer than Redis may be silent.
// After an error it is not known who has what.
func (s *Store) Hold(ctx context.Context, tasks []string) (mine []bool, sure time.Duration, err error) {
	const op = "ask which gateway does what"
	if s.closed.Load() {
		return nil, 0, fmt.Errorf("%w: Redis at %s", events.ErrClosed, s.place)
	}
	ctx, cancel := context.WithTimeout(ctx, min(s.tempo.answer, s.config.attempt()))
	defer cancel()
	reply, err := s.run(ctx, scriptHold, append(s.keys.ofNodes(), s.keys.held()), s.ofNode(tasks)...)
	if err != nil {
		return nil, 0, s.explain(op, err)
	}
	w, ok := words(reply)
	if !ok || len(w) != 2+len(tasks) || w[0] != "ok" {
		if err := s.refused(reply); err != nil {
			return nil, 0, s.explain(op, err)
		}
		return nil, 0, s.explain(op, fmt.Errorf("%w: a script answers with %d words", errDamaged, len(w)))
	}
	ms, err := strconv.ParseInt(w[1], 10, 64)
	if err != nil {
		return nil, 0, s.explain(op, fmt.Errorf("%w: a script answers with %.40q for the time of a lease", errDamaged, w[1]))
	}
	mine = make([]bool, len(tasks))
	for i := range mine {
		mine[i] = w[2+i] == s.node
	}
	return mine, time.Duration(ms) * time.Millisecond, nil
}

// LetGo gives tasks back, so that another node may have them at once. It is no
// error if this node has them not.
func (s *Store) LetGo(ctx context.Context, tasks ...string) error {
	return s.try(ctx, "let another gateway do something", func(ctx context.Context) error {
		_, err := s.run(ctx, scriptLetGo, []string{s.keys.writer, s.keys.held()}, s.ofNode(tasks)...)
		return err
	})
}

// ofNode returns the arguments of a script about tasks of this node.
func (s *Store) ofNode(tasks []string) []any {
	args := make([]any, 0, 1+len(tasks))
	args = append(args, s.node)
	for _, t := range tasks {
		args = append(args, t)
	}
	return args
}
