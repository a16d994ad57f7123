package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/auth"
)

// A brokenStore fails as it is told to.
type brokenStore struct {
	auth.TokenStore
	write, read error
	hang        bool
	asked       int
}

func (s *brokenStore) DeleteToken(ctx context.Context, _ [32]byte) error {
	s.asked++
	if s.hang {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return s.write
}

func (s *brokenStore) Token(context.Context, [32]byte) (*auth.Token, error) { return nil, s.read }

func TestReady(t *testing.T) {
	tests := []struct {
		name  string
		store *brokenStore
		want  int
	}{
		{"well", &brokenStore{read: auth.ErrNoToken}, http.StatusOK},
		{"cannot write", &brokenStore{write: errors.New("disk full at /secret/path"), read: auth.ErrNoToken}, http.StatusServiceUnavailable},
		{"cannot read", &brokenStore{read: errors.New("bad page at /secret/path")}, http.StatusServiceUnavailable},
		{"does not answer", &brokenStore{hang: true}, http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &health{store: tt.store}
				w := httptest.NewRecorder()
				h.serveReady(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
				if w.Code != tt.want {
					t.Errorf("/readyz = %d, want %d", w.Code, tt.want)
				}
				if strings.Contains(w.Body.String(), "secret") {
					t.Errorf("/readyz tells %q", w.Body)
				}
			})
		})
	}
}

// Asking often does not make the store work often, and a change is seen soon.
func TestReadyIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &brokenStore{read: auth.ErrNoToken}
		h := &health{store: store}
		for range 100 {
			if err := h.ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if store.asked != 1 {
			t.Errorf("100 questions in a moment ask the store %d times, want once", store.asked)
		}
		store.write = errors.New("disk full")
		time.Sleep(probeEvery)
		if h.ready(t.Context()) == nil {
			t.Errorf("ready %v after the store broke", probeEvery)
		}
		h.close()
		if err := h.ready(t.Context()); !errors.Is(err, errClosing) {
			t.Errorf("ready = %v while shutting down, want %v", err, errClosing)
		}
	})
}
