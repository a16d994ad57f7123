package httpapi

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/wireroom/wireroom/ingest"
)

// defaultRetryAfter is when to try again if the sink does not know.
const defaultRetryAfter = time.Second

// appendReceipt appends a receipt as a JSON object. The position is there if
// the class keeps a log.
func appendReceipt(dst []byte, r ingest.Receipt) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendQuoted(dst, r.ID)
	if r.Epoch != "" {
		dst = append(dst, `,"epoch":`...)
		dst = appendQuoted(dst, r.Epoch)
		dst = append(dst, `,"offset":`...)
		dst = strconv.AppendUint(dst, r.Offset, 10)
	}
	if r.Duplicate {
		dst = append(dst, `,"duplicate":true`...)
	}
	return append(dst, '}')
}

// appendReceipts appends receipts as a JSON array.
func appendReceipts(dst []byte, all []ingest.Receipt) []byte {
	dst = append(dst, '[')
	for i, r := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendReceipt(dst, r)
	}
	return append(dst, ']')
}

// appendQuoted appends a JSON string; invalid UTF-8 becomes U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "\uFFFD"))
	return dst
}
