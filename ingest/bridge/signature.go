package bridge

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

// A signature is what the query of a signed request says: who signed what and
// when. The texts are kept as they came, because they are what was signed.
type signature struct {
	key, timestamp, seq, nonce string
	mac                        [sha256.Size]byte

	at time.Time // timestamp
}

// signed reports whether a request means to be signed.
func signed(query url.Values) bool { return query.Has("key") || query.Has("signature") }

// parseSignature reads the query of a signed request.
func parseSignature(query url.Values) (*signature, error) {
	s := new(signature)
	var mac string
	for _, p := range []struct {
		name string
		v    *string
	}{{"key", &s.key}, {"timestamp", &s.timestamp}, {"seq", &s.seq}, {"nonce", &s.nonce}, {"signature", &mac}} {
		switch values := query[p.name]; {
		case len(values) == 0 || values[0] == "":
			return nil, &ingest.Error{Kind: ingest.BadRequest, Field: p.name, Expected: "a parameter of a signed request", Found: "none", Index: -1}
		case len(values) > 1:
			return nil, &ingest.Error{Kind: ingest.BadRequest, Field: p.name, Expected: "one parameter of the name", Found: "several", Index: -1}
		default:
			*p.v = values[0]
		}
	}
	for _, p := range [][2]string{{"seq", s.seq}, {"nonce", s.nonce}} {
		if _, err := strconv.ParseUint(p[1], 10, 64); err != nil {
			return nil, &ingest.Error{Kind: ingest.BadRequest, Field: p[0], Expected: "an integer", Found: strconv.Quote(ingest.Clip(p[1])), Index: -1}
		}
	}
	var err error
	if s.at, err = time.Parse(time.RFC3339, s.timestamp); err != nil || !strings.HasSuffix(s.timestamp, "Z") {
		return nil, &ingest.Error{
			Kind: ingest.BadRequest, Field: "timestamp", Expected: "a time in UTC, as 2011-10-14T16:59:51.123Z",
			Found: strconv.Quote(ingest.Clip(s.timestamp)), Index: -1,
		}
	}
	raw, err := decodeBase64(mac)
	if err != nil || len(raw) != len(s.mac) {
		return nil, &ingest.Error{Kind: ingest.BadRequest, Field: "signature", Expected: "32 bytes in base64", Found: "something else", Index: -1}
	}
	copy(s.mac[:], raw)
	return s, nil
}

// decodeBase64 reads either alphabet, with or without padding.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.Strict().DecodeString(s)
}

// by reports whether the secret has signed the request. How long it takes does
// not depend on what it finds.
func (s *signature) by(secret []byte, body []byte) bool {
	mac := hmac.New(sha256.New, secret)
	for _, text := range [...]string{s.key, s.timestamp, s.seq, s.nonce} {
		mac.Write([]byte(text))
	}
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), s.mac[:])
}

// decoy is the secret of keys that nobody has, so that a request with such a
// key takes as long as any other to be refused.
var decoy = []byte(rand.Text())
