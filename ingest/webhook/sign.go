package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// sign sets the headers of Standard Webhooks. Each attempt has a time and so a
// signature of its own; the id stays, so that the receiver can tell a repetition.
func sign(h http.Header, key []byte, id string, now time.Time, body []byte) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	if key == nil {
		return
	}
	mac := hmac.New(sha256.New, key)
	for _, part := range [...]string{id, ".", stamp, "."} {
		mac.Write([]byte(part))
	}
	mac.Write(body)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
