package wamp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/wireroom/wireroom/router/wamp"
)

// The parsers of other people are oracles: what ours reads they read as the
// same, and what ours refuses they refuse, but for what WAMP or our limits
// rule out.

// ruledOut are the reasons for which ours refuses what is well formed.
var ruledOut = []string{
	"nested deeper than", "stands twice in a dict", "as key of a dict",
	"out of the range", "extension of type", "MessagePack timestamp", "value that WAMP knows",
	"not valid UTF-8", // MessagePack only: the others forbid it themselves
}

func isRuledOut(err error) bool {
	e, ok := errors.AsType[*wamp.Error](err)
	if !ok {
		return false
	}
	for _, reason := range ruledOut {
		if strings.Contains(e.Text, reason) {
			return true
		}
	}
	return false
}

func FuzzJSONOracle(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v.json))
	}
	for _, r := range rejectRaw {
		if r.s == wamp.JSON {
			f.Add([]byte(r.data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := wamp.ParseValue(wamp.JSON, data)
		want, wantErr := parseJSON(data)
		switch {
		case err == nil && (wantErr != nil || !same(got, want)):
			t.Fatalf("ParseValue(%q) = %#v; the oracle says %#v, %v", data, got, want, wantErr)
		case err != nil && wantErr == nil && !isRuledOut(err):
			t.Fatalf("ParseValue(%q): %v; the oracle says %#v", data, err, want)
		}
	})
}

// parseJSON parses JSON with another parser, into the values of ParseValue.
func parseJSON(data []byte) (any, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(data))
	v, err := jsonValue(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

func jsonValue(dec *jsontext.Decoder) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return tok.Bool(), nil
	case '"':
		return tok.String(), nil
	case '0':
		text := tok.String()
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
		if u, err := strconv.ParseUint(text, 10, 64); err == nil {
			return u, nil
		}
		return strconv.ParseFloat(text, 64)
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			v, err := jsonValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.ReadToken()
		return list, err
	default:
		dict := map[string]any{}
		for dec.PeekKind() != '}' {
			key, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			name := key.String()
			if dict[name], err = jsonValue(dec); err != nil {
				return nil, err
			}
		}
		_, err := dec.ReadToken()
		return dict, err
	}
}

func FuzzMessagePackOracle(f *testing.F) {
	for _, v := range values {
		data, _ := hex.DecodeString(v.msgpack)
		f.Add(data)
	}
	f.Add([]byte("\x91\xd6\xff\x51\x4b\x67\xb0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := wamp.ParseValue(wamp.MessagePack, data)
		if err != nil && isRuledOut(err) || contains(data, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8) {
			return // the oracle turns extensions into types of its own
		}
		if err != nil && contains(data, 0xc6, 0xdb, 0xdd, 0xdf) {
			return // the oracle allocates whatever a length of 32 bits says
		}
		r := bytes.NewReader(data)
		want, wantErr := msgpack.NewDecoder(r).DecodeInterface()
		if wantErr == nil && r.Len() > 0 {
			wantErr = errors.New("bytes left over")
		}
		switch {
		case err == nil && (wantErr != nil || !same(got, integers(want))):
			t.Fatalf("ParseValue(%x) = %#v; the oracle says %#v, %v", data, got, want, wantErr)
		case err != nil && wantErr == nil:
			t.Fatalf("ParseValue(%x): %v; the oracle says %#v", data, err, want)
		}
	})
}

func FuzzCBOROracle(f *testing.F) {
	for _, v := range values {
		data, _ := hex.DecodeString(v.hex)
		f.Add(data)
	}
	for _, text := range []string{
		"9f019fffbf616102ffff", "7f6161606162ff", "5f4101ff", "d9d9f780", "d8404101",
		"f97e00", "f93c00", "f7", "f820", "e0", "3bffffffffffffffff",
	} {
		data, _ := hex.DecodeString(text)
		f.Add(data)
	}
	mode, err := cbor.DecOptions{
		TimeTag:         cbor.DecTagIgnored,
		MaxNestedLevels: 128,
		BignumTag:       cbor.BignumTagAllowed,
	}.DecMode()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := wamp.ParseValue(wamp.CBOR, data)
		if err != nil && isRuledOut(err) || contains(data, 0xc0, 0xc1, 0xc2, 0xc3, 0xd8, 0xd9, 0xda, 0xdb) {
			return // the oracle gives meaning to these tags, short and long
		}
		var want any
		wantErr := mode.Unmarshal(data, &want)
		switch {
		case err == nil && (wantErr != nil || !same(got, integers(want))):
			t.Fatalf("ParseValue(%x) = %#v; the oracle says %#v, %v", data, got, want, wantErr)
		case err != nil && wantErr == nil:
			t.Fatalf("ParseValue(%x): %v; the oracle says %#v", data, err, want)
		}
	})
}

// contains reports whether data has any of the bytes.
func contains(data []byte, any ...byte) bool {
	for _, b := range any {
		if bytes.IndexByte(data, b) >= 0 {
			return true
		}
	}
	return false
}

// integers returns v with the types of ParseValue.
func integers(v any) any {
	switch v := v.(type) {
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	case float32:
		return float64(v)
	case big.Int: // an integer below those of 64 bits
		f, _ := new(big.Float).SetInt(&v).Float64()
		return f
	case cbor.Tag:
		return integers(v.Content)
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
		if v == nil {
			return []any{}
		}
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	case map[any]any:
		dict := map[string]any{}
		for k, item := range v {
			dict[k.(string)] = integers(item)
		}
		return dict
	}
	return v
}
