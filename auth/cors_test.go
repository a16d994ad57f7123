package auth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

func TestGuard(t *testing.T) {
	listed := must(auth.NewOrigins([]string{"https://app.example.com"}))(t)
	tests := []struct {
		name                  string
		method, origin, asked string // asked: Access-Control-Request-Method
		status                int
		allowed, methods      string
	}{
		{"program", "POST", "", "", 200, "", ""},
		{"own page", "POST", "http://gw.example.net", "", 200, "http://gw.example.net", ""},
		{"listed page", "GET", "https://app.example.com", "", 200, "https://app.example.com", ""},
		{"foreign page", "POST", "https://evil.example", "", 403, "", ""},
		{"preflight", "OPTIONS", "https://app.example.com", "POST", 204, "https://app.example.com", "GET, POST"},
		{"preflight of a foreign page", "OPTIONS", "https://evil.example", "POST", 403, "", ""},
		{"OPTIONS of its own", "OPTIONS", "https://app.example.com", "", 200, "https://app.example.com", ""},
	}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s := auth.NewSessions(auth.DefaultSessionConfig(), nil, nil, listed, slog.New(slog.DiscardHandler))
	h := s.Guard(auth.CORS{Methods: "GET, POST", Headers: "Content-Type", Expose: "X-Number"}, next)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "http://gw.example.net/lp/open", nil)
			for name, value := range map[string]string{"Origin": tt.origin, "Access-Control-Request-Method": tt.asked} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			got := w.Header()
			if w.Code != tt.status || got.Get("Access-Control-Allow-Origin") != tt.allowed || got.Get("Access-Control-Allow-Methods") != tt.methods ||
				(got.Get("Access-Control-Allow-Credentials") == "true") != (tt.allowed != "") || got.Get("Vary") == "" {
				t.Errorf("answered with %d %v", w.Code, got)
			}
		})
	}
}
