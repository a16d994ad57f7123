package auth_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
)

func b64(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

func TestUserConfig(t *testing.T) {
	goodCRA := auth.CRAConfig{Secret: auth.Secret(b64(32)), Salt: "salt123", Iterations: 1000, KeyLen: 32}
	goodSCRAM := auth.SCRAMConfig{KDF: "argon2id13", Salt: b64(16), Iterations: 3, Memory: 65536, StoredKey: auth.Secret(b64(32)), ServerKey: auth.Secret(b64(32))}
	key := strings.Repeat("0a", 32)
	cra := func(change func(c *auth.CRAConfig)) auth.UserConfig {
		c := goodCRA
		change(&c)
		return auth.UserConfig{Name: "joe", CRA: &c}
	}
	scram := func(change func(c *auth.SCRAMConfig)) auth.UserConfig {
		c := goodSCRAM
		change(&c)
		return auth.UserConfig{Name: "joe", SCRAM: &c}
	}
	for _, tt := range []struct {
		name string
		cfg  auth.UsersConfig
		want string // the fields that are reported
	}{
		{"good", auth.UsersConfig{{Name: "client01@example.com", Roles: []string{"a"}, TicketSHA256: key, CRA: &goodCRA, SCRAM: &goodSCRAM, Cryptosign: []string{key, strings.Repeat("0B", 32)}}}, ""},
		{"nothing", auth.UsersConfig{{Name: "joe"}}, "joe"},
		{"no name", auth.UsersConfig{{TicketSHA256: key}}, ""},
		{"control", auth.UsersConfig{{Name: "j\x07e", TicketSHA256: key}}, "j\x07e"},
		{"not normal", auth.UsersConfig{{Name: "ﬁeld", TicketSHA256: key}}, "ﬁeld"},
		{"role", auth.UsersConfig{{Name: "joe", Roles: []string{"a b"}, TicketSHA256: key}}, "joe.roles"},
		{"ticket in clear", auth.UsersConfig{{Name: "joe", TicketSHA256: "hunter2"}}, "joe.ticket_sha256"},
		{"twice", auth.UsersConfig{{Name: "joe", TicketSHA256: key}, {Name: "joe", TicketSHA256: key}}, "joe"},
		{"key of two", auth.UsersConfig{{Name: "joe", Cryptosign: []string{key}}, {Name: "sue", Cryptosign: []string{key}}}, "sue.cryptosign[0]"},
		{"key of two, in capitals", auth.UsersConfig{{Name: "joe", Cryptosign: []string{key}}, {Name: "sue", Cryptosign: []string{strings.ToUpper(key)}}}, "sue.cryptosign[0]"},
		{"short key", auth.UsersConfig{{Name: "joe", Cryptosign: []string{key[2:]}}}, "joe.cryptosign[0]"},
		{"too many keys", auth.UsersConfig{{Name: "joe", Cryptosign: slices.Repeat([]string{"x"}, 65)}}, "joe.cryptosign " + strings.TrimSpace(strings.Repeat("joe.cryptosign[] ", 65))},

		{"plain", auth.UsersConfig{cra(func(c *auth.CRAConfig) { *c = auth.CRAConfig{Secret: "12345678"} })}, ""},
		{"plain, short", auth.UsersConfig{cra(func(c *auth.CRAConfig) { *c = auth.CRAConfig{Secret: "hunter2"} })}, "joe.cra.secret"},
		{"plain, long", auth.UsersConfig{cra(func(c *auth.CRAConfig) { *c = auth.CRAConfig{Secret: auth.Secret(strings.Repeat("x", 1025))} })}, "joe.cra.secret"},
		{"plain with cost", auth.UsersConfig{cra(func(c *auth.CRAConfig) { c.Salt = "" })}, "joe.cra.iterations joe.cra.keylen"},
		{"salted, password in clear", auth.UsersConfig{cra(func(c *auth.CRAConfig) { c.Secret = "hunter2 hunter2" })}, "joe.cra.secret"},
		{"salted, other length", auth.UsersConfig{cra(func(c *auth.CRAConfig) { c.KeyLen = 31 })}, "joe.cra.secret"},
		{"salted, no cost", auth.UsersConfig{cra(func(c *auth.CRAConfig) { c.Iterations = 0 })}, "joe.cra.iterations"},
		{"salted, too much", auth.UsersConfig{cra(func(c *auth.CRAConfig) { c.Iterations, c.KeyLen = 10_000_001, 65 })}, "joe.cra.iterations joe.cra.keylen"},
		{"long salt", auth.UsersConfig{cra(func(c *auth.CRAConfig) { c.Salt = strings.Repeat("s", 129) })}, "joe.cra.salt"},

		{"scram, other kdf", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.KDF = "bcrypt" })}, "joe.scram.kdf"},
		{"scram, no memory", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.Memory = 0 })}, "joe.scram.memory"},
		{"scram, iterations", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.Iterations = 10_001 })}, "joe.scram.iterations"},
		{"scram, pbkdf2 with memory", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.KDF, c.Iterations = "pbkdf2", 4096 })}, "joe.scram.memory"},
		{"scram, pbkdf2 too cheap", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.KDF, c.Iterations, c.Memory = "pbkdf2", 4095, 0 })}, "joe.scram.iterations"},
		{"scram, salt", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.Salt = b64(7) })}, "joe.scram.salt"},
		{"scram, salt with a line break", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.Salt = "\n" + b64(16) })}, "joe.scram.salt"},
		{"scram, keys", auth.UsersConfig{scram(func(c *auth.SCRAMConfig) { c.StoredKey, c.ServerKey = "hunter2", "" })}, "joe.scram.server_key joe.scram.stored_key"},
	} {
		var fields []string
		tt.cfg.Validate(func(field string, err error) {
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v has a credential in it", tt.name, err)
			}
			if strings.HasPrefix(field, "joe.cryptosign[") {
				field = "joe.cryptosign[]"
				if len(tt.cfg[0].Cryptosign) == 1 {
					field = "joe.cryptosign[0]"
				}
			}
			fields = append(fields, field)
		})
		slices.Sort(fields)
		if got := strings.Join(fields, " "); got != tt.want {
			t.Errorf("%s: Validate reports %q, want %q", tt.name, got, tt.want)
		}
		if tt.want != "" {
			if _, err := auth.NewUsers(tt.cfg, decoyKey); err == nil {
				t.Errorf("%s: NewUsers takes it", tt.name)
			}
		}
	}
}

func TestDecodeBase64(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "egVDf3DMJh0=": true, "egVDf3DMJh0": false, "egVDf3DMJh1=": false, "egVD\nf3DMJh0=": false,
		"egVDf3DMJh0=\n": false, "egVDf3DMJh0==": false, "egVD f3DMJh0=": false, "-_-_": false,
	} {
		if _, err := auth.DecodeBase64(text); (err == nil) != ok {
			t.Errorf("decodeBase64(%q): %v, want success: %v", text, err, ok)
		}
	}
}

// RFC 4013 section 3, and a few more.
func TestSASLprep(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"I\u00adX", "IX"},
		{"user", "user"},
		{"USER", "USER"},
		{"\u00aa", "a"},
		{"\u2168", "IX"},
		{"\u0007", ""},
		{"\u0627\u0031", ""},
		{"", ""},
		{"\u00ad", ""},
		{"a\u00a0b\u3000c", "a b c"},
		{"\u0627\u0031\u0628", "\u0627\u0031\u0628"},
		{"\u0627a\u0628", ""},
		{"1\u0627", ""},
		{"pass\ufffdword", ""},
		{"\U0001fffe", ""},
		{"\ue000", ""},
		{"caf\u0065\u0301", "café"},
		{"pässword 🔑", "pässword 🔑"},
		{"\xff", ""},
	} {
		got, err := auth.SASLprep(tt.in)
		if err != nil {
			got = ""
		}
		if got != tt.want {
			t.Errorf("saslprep(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}

// What is normalized stays as it is.
func FuzzSASLprep(f *testing.F) {
	for _, s := range []string{"I\u00adX", "\u2168", "\u0627\u0031\u0628", "a\u00a0b", "\xff", "\ufb01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := auth.SASLprep(s)
		if err != nil {
			return
		}
		if once == "" {
			t.Errorf("saslprep(%q) is empty", s)
		}
		if twice, err := auth.SASLprep(once); err == nil && twice != once {
			t.Errorf("saslprep(%q) = %q, and of that %q", s, once, twice)
		}
	})
}
