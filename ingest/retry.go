package ingest

import (
	"strconv"
	"time"
)

// RetryAfterSeconds returns the value of an HTTP Retry-After header: whole
// seconds, rounded up, at least 1.
func RetryAfterSeconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
