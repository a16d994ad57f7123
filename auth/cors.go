package auth

import "net/http"

// A CORS is what pages of other origins may do with a resource, if they may
// connect at all (Fetch, "CORS protocol"). Each is a list with commas.
type CORS struct {
	Methods string // that they may use
	Headers string // that they may send; may be empty
	Expose  string // headers of answers that they may read; may be empty
}

// Guard returns a handler that lets pages that may connect ([Sessions.Allows])
// use next and read its answers, and refuses others with 403. It answers
// preflight requests itself.
//
// Browsers send the cookie along where a page asks for that. As with a
// WebSocket, whether it counts is for [Sessions.Identify] to say, which next
// has to ask: with origins "*" a page can read what it gets, as nobody.
func (s *Sessions) Guard(c CORS, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin, Sec-Fetch-Site")
		if !s.Allows(r) {
			problem(w, http.StatusForbidden, "pages of this origin may not connect")
			return
		}
		origin := r.Header.Get("Origin")
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			if c.Expose != "" {
				h.Set("Access-Control-Expose-Headers", c.Expose)
			}
		}
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", c.Methods)
		if c.Headers != "" {
			h.Set("Access-Control-Allow-Headers", c.Headers)
		}
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	})
}
