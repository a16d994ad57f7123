//go:build linux

package torture_test

import (
	"bytes"
	"regexp"
	"testing"
)

// A detour leads a client that asks Redis where the primary is to a proxy: what
// Sentinels and nodes of a Cluster answer has the proxy's address in place of
// the server's. The servers themselves know nothing of it, so a connection of a
// gateway can be cut without one among them. It maps ports of 127.0.0.1 to such
// ports, all of five digits, so that nothing gets longer.
type detour map[string]string

// Where an address stands: in a redirection of a Cluster, in its list of slots,
// and in what a Sentinel says of the primary, of a change, and of others.
var (
	host       = []byte("127.0.0.1")
	separators = [][]byte{[]byte(":"), []byte("\r\n:"), []byte("\r\n$5\r\n"), []byte(" "), []byte("\r\n$4\r\nport\r\n$5\r\n")}
	address    = regexp.MustCompile(`127\.0\.0\.1(?::|\r\n:|\r\n\$5\r\n| |\r\n\$4\r\nport\r\n\$5\r\n)[0-9]{5}`)
)

// rewrite changes the ports of addresses in b.
func (d detour) rewrite(b []byte) {
	for _, at := range address.FindAllIndex(b, -1) {
		if to, ok := d[string(b[at[1]-5:at[1]])]; ok && len(to) == 5 {
			copy(b[at[1]-5:], to)
		}
	}
}

// undecided returns how many bytes at the end of b may be the beginning of an
// address, which the next bytes will tell. No answer of Redis ends with such.
func undecided(b []byte) int {
	longest := len(host) + len(separators[len(separators)-1]) + 4
	for n := min(len(b), longest); n > 0; n-- {
		end := b[len(b)-n:]
		if n < len(host) {
			if bytes.HasPrefix(host, end) {
				return n
			}
			continue
		}
		after, ok := bytes.CutPrefix(end, host)
		if !ok {
			continue
		}
		for _, s := range separators {
			if bytes.HasPrefix(s, after) || bytes.HasPrefix(after, s) && len(after) < len(s)+5 {
				return n
			}
		}
	}
	return 0
}

func TestDetour(t *testing.T) {
	d := detour{"16381": "45678", "16382": "45679"}
	for _, tt := range []struct{ from, want string }{
		{"-MOVED 3999 127.0.0.1:16381\r\n", "-MOVED 3999 127.0.0.1:45678\r\n"},
		{"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n16381\r\n", "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n45678\r\n"},
		{"*3\r\n$9\r\n127.0.0.1\r\n:16382\r\n$40\r\n", "*3\r\n$9\r\n127.0.0.1\r\n:45679\r\n$40\r\n"},
		{"store 127.0.0.1 16381 127.0.0.1 16382\r\n", "store 127.0.0.1 45678 127.0.0.1 45679\r\n"},
		{"$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$5\r\n16382\r\n", "$2\r\nip\r\n$9\r\n127.0.0.1\r\n$4\r\nport\r\n$5\r\n45679\r\n"},
		{"127.0.0.1:20000 16381 10.0.0.1:16381 127.0.0.1;16381\r\n", "127.0.0.1:20000 16381 10.0.0.1:16381 127.0.0.1;16381\r\n"},
	} {
		for cut := range tt.from { // wherever it is cut in two
			var got, left []byte
			for _, part := range []string{tt.from[:cut], tt.from[cut:]} {
				left = append(left, part...)
				d.rewrite(left)
				n := undecided(left)
				got = append(got, left[:len(left)-n]...)
				left = left[len(left)-n:]
			}
			if len(left) > 0 || string(got) != tt.want {
				t.Errorf("%q in two at %d is %q with %q left, want %q", tt.from, cut, got, left, tt.want)
			}
		}
	}
}
