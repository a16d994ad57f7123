package auth_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/router/wamp"
)

// newKey makes a key for the name and returns the public one.
func (c *cast) newKey(name string) string {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	c.sign[name] = func(message []byte) []byte { return ed25519.Sign(priv, message) }
	c.pubkeys[name] = hex.EncodeToString(pub)
	return c.pubkeys[name]
}

// The vectors of the specification, those with a channel ID as what is signed
// then.
func TestCryptosignVectors(t *testing.T) {
	for _, tt := range []struct{ channel, private, challenge, signature string }{
		{"", "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0cae80a357331bfc5cc9fb71081464e6e75013517c2cf067ad566a6b7b728e5d03ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
		{"", "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd", "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d", "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372190374886a70207b042294af5bd64ce725cd8dceb344e6d11c09d1aaaf4d660fb26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d"},
		{"", "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b", "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2", "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1ec184e206746fd82bda075af03711d3d5658fc84a76196b0fa8d1ebc92ef9f30bb05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2"},
		{"62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3e80d49d44c29d1635da9348d02ec93f3ed1ef227dfb59a07b580095c2b82f80f9d16ca518aa0c2b707f2b2a609edeca73bca8dd59817a633f35574ac6fd80d00"},
		{"62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd", "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d", "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a427c3015599d83ca28b4c652333920223844ef0725eb5dc2febfd6af7677b73f01d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282"},
		{"62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff", "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b", "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2", "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4d2c4bfdb4eb9526def42deeb7e31602a6ff99eba893e0a4ad4d45892ca75e608d2b75e24a189a7f78ca776ba36fc53f6c3e31c32f251f2c524f0a44202f2902d"},
	} {
		seed := must(hex.DecodeString(tt.private))(t)
		message := must(hex.DecodeString(tt.challenge))(t)
		for i, b := range must(hex.DecodeString(tt.channel))(t) {
			message[i] ^= b
		}
		key := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		if err := auth.VerifyCryptosign(key, message, tt.signature); err != nil {
			t.Errorf("channel %q, private key %s: %v", tt.channel, tt.private, err)
		}
		message[0] ^= 1
		if err := auth.VerifyCryptosign(key, message, tt.signature); err == nil {
			t.Errorf("channel %q, private key %s: the signature is good for another challenge", tt.channel, tt.private)
		}
	}
}

func (c *cast) answerCryptosign(t testing.TB, ch *auth.Challenge, name string) string {
	t.Helper()
	message := must(hex.DecodeString(ch.Extra["challenge"].(string)))(t)
	return hex.EncodeToString(c.sign[name](message)) + ch.Extra["challenge"].(string)
}

func TestCryptosign(t *testing.T) {
	c := newCast(t)
	for _, name := range []string{"kay", ""} {
		ch, err := c.begin(t, "cryptosign", name, map[string]any{
			"pubkey": strings.ToUpper(c.pubkeys["kay"]), "challenge": strings.Repeat("00", 32), "trustroot": nil,
		})
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := ch.Extra["channel_binding"]; ch.Method != "cryptosign" || b != nil || !ok || len(ch.Extra) != 2 {
			t.Errorf("challenge %+v", ch)
		}
		g, err := ch.Answer(t.Context(), c.answerCryptosign(t, ch, "kay"), map[string]any{"surplus": 1})
		if err != nil || g.AuthID != "kay" || g.AuthRole != "editor" || g.AuthMethod != "cryptosign" || g.Provider != "static" {
			t.Errorf("authid %q: %+v, %v", name, g, err)
		}
	}
}

func TestCryptosignRefused(t *testing.T) {
	c := newCast(t)
	c.newKey("eve")
	old, err := c.begin(t, "cryptosign", "kay", map[string]any{"pubkey": c.pubkeys["kay"]})
	if err != nil {
		t.Fatal(err)
	}
	recorded := c.answerCryptosign(t, old, "kay")
	for _, tt := range []struct {
		what, authid, key, signer string
		change                    func(answer string) string
	}{
		{"an unknown key", "", "eve", "eve", nil},
		{"an unknown key with a user's name", "kay", "eve", "eve", nil},
		{"another's key", "kay", "kay", "eve", nil},
		{"another's name", "carl", "kay", "kay", nil},
		{"an unknown name", "nobody", "kay", "kay", nil},
		{"a user without a role here", "lost", "lost", "lost", nil},
		{"nothing", "kay", "kay", "kay", func(string) string { return "" }},
		{"the signature alone", "kay", "kay", "kay", func(a string) string { return a[:128] }},
		{"a cut answer", "kay", "kay", "kay", func(a string) string { return a[:190] }},
		{"a longer answer", "kay", "kay", "kay", func(a string) string { return a + "00" }},
		{"no digits", "kay", "kay", "kay", func(a string) string { return strings.Repeat("x", len(a)) }},
		{"a recorded answer", "kay", "kay", "kay", func(string) string { return recorded }},
		{"a recorded signature", "kay", "kay", "kay", func(a string) string { return recorded[:128] + a[128:] }},
		{"a signature of zeros", "kay", "kay", "kay", func(a string) string { return strings.Repeat("0", 128) + a[128:] }},
	} {
		ch, err := c.begin(t, "cryptosign", tt.authid, map[string]any{"pubkey": c.pubkeys[tt.key]})
		if err != nil {
			t.Fatalf("%s: %v", tt.what, err)
		}
		answer := c.answerCryptosign(t, ch, tt.signer)
		if tt.change != nil {
			answer = tt.change(answer)
		}
		g, err := ch.Answer(t.Context(), answer, nil)
		refused(t, tt.what, g, err)
	}
}

func TestCryptosignHello(t *testing.T) {
	c := newCast(t)
	for _, tt := range []struct {
		what  string
		extra map[string]any
		want  wamp.URI
	}{
		{"nothing", nil, wamp.URIInvalidArgument},
		{"no text", map[string]any{"pubkey": []byte("x")}, wamp.URIInvalidArgument},
		{"short", map[string]any{"pubkey": c.pubkeys["kay"][2:]}, wamp.URIInvalidArgument},
		{"no digits", map[string]any{"pubkey": strings.Repeat("x", 64)}, wamp.URIInvalidArgument},
		{"a binding", map[string]any{"pubkey": c.pubkeys["kay"], "channel_binding": "tls-unique"}, wamp.URIFeatureNotSupported},
	} {
		ch, err := c.begin(t, "cryptosign ticket", "kay", tt.extra)
		if ch != nil || wamp.AsError(err).URI != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.what, ch, err, tt.want)
		}
	}
}

// No text is an answer but the one, whatever the key.
func FuzzCryptosignAnswer(f *testing.F) {
	c := newCast(f)
	f.Add(c.pubkeys["kay"], "kay", strings.Repeat("0", 192))
	f.Add(strings.Repeat("0", 64), "", strings.Repeat("0", 192))
	f.Fuzz(func(t *testing.T, key, name, answer string) {
		ch, err := c.begin(t, "cryptosign", name, map[string]any{"pubkey": key})
		if err != nil {
			return
		}
		g, err := ch.Answer(t.Context(), answer, nil)
		refused(t, answer, g, err)
		if len(answer) >= 128 {
			g, err = ch.Answer(t.Context(), answer[:128]+ch.Extra["challenge"].(string), nil)
			refused(t, answer, g, err)
		}
	})
}
