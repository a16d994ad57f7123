package embedded

import "context"

// TrimBefore removes the records of a log before the offset first, at most 4096
// of them, and returns how many. If there is no log, it makes none.
func (s *Store) TrimBefore(ctx context.Context, class string, first uint64) (n int, err error) {
	var removed int // of its own, as the committer may set it after ctx ended
	err = s.update(ctx, func(tx *txn) error {
		if tx.Bucket(bucketClasses).Bucket([]byte(class)) == nil {
			return nil
		}
		l, err := tx.log(class)
		if err == nil {
			removed, err = l.trimTo(min(first, l.bounds.Next))
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}
