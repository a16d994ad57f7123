package auth

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxCandidates is how many different client tokens of one request are looked
// up. A browser sends more than one only if cookies of the same name were set
// for several paths or domains.
const maxCandidates = 8

// candidates returns the different well-formed client tokens among the
// request's cookies of the given name, in order.
//
// It reads the raw header itself, because what other applications on the host
// put into their cookies (JSON, quotes, commas, bytes beyond ASCII) must not
// hide ours: whatever stands between two semicolons and is not
// name=<well-formed token> is passed over.
func candidates(h http.Header, name string) []Secret {
	var found []Secret
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok || strings.Trim(key, " \t") != name {
				continue
			}
			secret := Secret(strings.Trim(value, " \t"))
			if !secret.WellFormed() || slices.Contains(found, secret) {
				continue
			}
			if found = append(found, secret); len(found) == maxCandidates {
				return found
			}
		}
	}
	return found
}

// setCookie gives the browser the secret to keep for as long as it is good.
func (s *Sessions) setCookie(w http.ResponseWriter, r *http.Request, secret Secret, remaining time.Duration, expires time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name:     s.cfg.Cookie,
		Value:    string(secret),
		Path:     "/",
		MaxAge:   max(1, int(remaining/time.Second)),
		Expires:  expires,
		Secure:   s.cfg.Secure || overTLS(r),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

// clearCookie makes the browser forget the cookie.
func (s *Sessions) clearCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name:     s.cfg.Cookie,
		Path:     "/",
		MaxAge:   -1,
		Secure:   s.cfg.Secure || overTLS(r),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}
