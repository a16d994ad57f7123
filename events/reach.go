package events

import "context"

// reach has the hub know what the start of a replay means. The subscriber may
// have it from another gateway, which knew of an epoch, or of events, of which
// this one has not heard yet.
func (r *replay) reach(ctx context.Context, start Start) error {
	other := start.epoch != "" && start.epoch != r.epoch && !r.member.log.follows(start.epoch)
	if !other && start.offset <= r.through {
		return nil
	}
	if other {
		end, err := r.turn(ctx)
		if err != nil {
			return err
		}
		_, err = r.hub.look(r.member)
		end()
		if err != nil {
			return err
		}
		r.epoch, r.through = r.member.log.position()
	}
	if r.hub.ready.follows.Load() {
		r.hub.ready.fallBehind(r.member)
	}
	return nil
}
