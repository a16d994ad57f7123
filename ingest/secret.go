package ingest

import (
	"net/http"
	"strings"
)

// Bearer returns the token of an "Authorization: Bearer" header. ok is false
// if there is no Authorization header, or one of another scheme, or more than
// one.
func Bearer(r *http.Request) (token string, ok bool) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return "", false
	}
	scheme, token, found := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	return token, found && strings.EqualFold(scheme, "Bearer") && token != ""
}
