package embedded

import bolt "go.etcd.io/bbolt"

// SetMaxSize makes the file full at the size. Nothing may be under way.
func (s *Store) SetMaxSize(bytes int) { s.db.MaxSize = bytes }

// Damage runs fn on the file, behind the store's back.
func (s *Store) Damage(fn func(tx *bolt.Tx) error) error { return s.db.Update(fn) }

// Hold keeps the committer from writing until release is called.
func (s *Store) Hold() (release func()) {
	started, held := make(chan struct{}), make(chan struct{})
	s.submit(&change{
		fn: func(*txn) error {
			close(started)
			<-held
			return nil
		},
		done:    make(chan error, 1),
		records: 1,
	})
	<-started
	return func() { close(held) }
}
