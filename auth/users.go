package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// Users are the users that the gateway itself knows. They are immutable; a nil
// pointer is nobody.
type Users struct {
	configs UsersConfig
	decoy   []byte // key of what strangers are answered
}

// NewUsers returns the users of cfg, or an error that names every bad field.
// decoyKey, from [DecoyKey], is secret; as long as it stays the same, what is
// answered to a name that nobody has stays the same.
func NewUsers(cfg UsersConfig, decoyKey []byte) (*Users, error) {
	if err := check(cfg.Validate); err != nil {
		return nil, err
	}
	if len(decoyKey) < 32 {
		return nil, fmt.Errorf("decoy key: expected at least 32 bytes, found %d", len(decoyKey))
	}
	return &Users{configs: cfg, decoy: bytes.Clone(decoyKey)}, nil
}

// A roster is the users of one realm: those that have a role there.
type roster struct {
	members map[string]*member
	keys    map[[32]byte]*member // by public key

	certificates map[string]*member // by what a certificate has for names

	// models are members that differ in what a stranger sees of them: which
	// credentials they have, of which kind and cost, and their role. What is
	// made up for an unknown name is like one of them.
	models []model
	decoy  []byte

	cra, scram bool // whether anybody has such a credential
}

// A model is a member with its look.
type model struct {
	look string
	*member
}

// maxModels bounds what is computed for each name that is asked for.
const maxModels = 64

// A member is a user in a realm, or what is made up for a name that no user
// has.
type member struct {
	name   string
	role   string
	ticket [sha256.Size]byte // all zeros, which is no ticket's hash, if there is none
	cra    *craSecret        // may be nil
	scram  *scramSecret      // may be nil

	realm    wamp.URI       // to join in place of the one that is asked for; empty: that one
	provider string         // empty: the configuration
	extra    map[string]any // of [Grant.Extra], besides the name; may be nil
}

// A craSecret is a [CRAConfig] made ready for use.
type craSecret struct {
	key                []byte // of the HMAC
	salt               string
	iterations, keyLen int
}

// A scramSecret is a [SCRAMConfig] made ready for use.
type scramSecret struct {
	kdf                string
	salt               string // in base64
	iterations, memory int
	stored, server     [32]byte
}

// in returns the users that have a role in the realm, by role.
func (u *Users) in(realm wamp.URI, role func(c *UserConfig) (string, bool)) *roster {
	r := &roster{members: make(map[string]*member), keys: make(map[[32]byte]*member), certificates: make(map[string]*member)}
	if u == nil {
		return r
	}
	// Each realm has its own: who asks for the same name in two realms must not
	// learn from equal answers that neither knows it.
	r.decoy = (&roster{decoy: u.decoy}).secret("realm\x00"+string(realm), 32)
	looks := make(map[string]bool)
	for i := range u.configs {
		c := &u.configs[i]
		name, ok := role(c)
		if !ok {
			continue
		}
		m := newMember(c, name)
		r.members[m.name] = m
		for _, text := range c.Cryptosign {
			key, _ := publicKey(text) // checked by NewUsers
			r.keys[key] = m
		}
		for _, text := range c.TLS {
			name, _ := certificateName(text) // checked by NewUsers
			r.certificates[name] = m
		}
		r.cra = r.cra || m.cra != nil
		r.scram = r.scram || m.scram != nil
		if look := m.look(); !looks[look] && len(r.models) < maxModels {
			looks[look] = true
			r.models = append(r.models, model{look, m})
		}
	}
	return r
}

// newMember makes a user whose configuration is valid ready for use.
func newMember(c *UserConfig, role string) *member {
	m := &member{name: c.Name, role: role}
	if c.TicketSHA256 != "" {
		hash, _ := hex.DecodeString(c.TicketSHA256)
		copy(m.ticket[:], hash)
	}
	if c.CRA != nil {
		m.cra = &craSecret{[]byte(c.CRA.Secret), c.CRA.Salt, c.CRA.Iterations, c.CRA.KeyLen}
	}
	if c.SCRAM != nil {
		m.scram = newSCRAMSecret(c.SCRAM)
	}
	return m
}

// newSCRAMSecret makes a valid configuration ready for use.
func newSCRAMSecret(c *SCRAMConfig) *scramSecret {
	s := &scramSecret{kdf: c.KDF, salt: c.Salt, iterations: c.Iterations, memory: c.Memory}
	stored, _ := decodeBase64(string(c.StoredKey))
	server, _ := decodeBase64(string(c.ServerKey))
	copy(s.stored[:], stored)
	copy(s.server[:], server)
	return s
}

// look says all that a stranger can tell of a member without a password, but
// for the salts themselves.
func (m *member) look() string {
	look := m.role
	if c := m.cra; c != nil {
		look += fmt.Sprintf("\x00cra %d %d %d %d", saltKind(c.salt), len(c.salt), c.iterations, c.keyLen)
	}
	if s := m.scram; s != nil {
		look += fmt.Sprintf("\x00scram %s %d %d %d", s.kdf, len(s.salt), s.iterations, s.memory)
	}
	return look
}

// find returns the member of the name, and whether there is one. If not, it
// makes one up that looks like a member and is always the same, whose
// credentials nobody knows. It does the same work in both cases.
func (r *roster) find(name string) (m *member, known bool) {
	decoy := r.disguise(name)
	if m := r.members[name]; m != nil {
		return m, true
	}
	return decoy, false
}

// disguise makes up the member of a name. The model is the one whose hash with
// the name is the highest, so that a new model changes few names.
func (r *roster) disguise(name string) *member {
	m := &member{name: name}
	var like *member
	var best []byte
	for _, candidate := range r.models {
		if rank := r.secret("model\x00"+candidate.look+"\x00"+name, 32); bytes.Compare(rank, best) > 0 {
			like, best = candidate.member, rank
		}
	}
	if like == nil {
		return m
	}
	m.role = like.role
	if c := like.cra; c != nil {
		m.cra = &craSecret{
			key: r.secret("cra key\x00"+name, 32), salt: r.salt("cra salt\x00"+name, c.salt),
			iterations: c.iterations, keyLen: c.keyLen,
		}
	}
	if s := like.scram; s != nil {
		m.scram = &scramSecret{kdf: s.kdf, salt: r.salt("scram salt\x00"+name, s.salt), iterations: s.iterations, memory: s.memory}
		copy(m.scram.stored[:], r.secret("scram stored\x00"+name, 32))
		copy(m.scram.server[:], r.secret("scram server\x00"+name, 32))
	}
	return m
}

// secret returns n bytes, at most 8160, that only who has the decoy key can
// tell from random ones.
func (r *roster) secret(label string, n int) []byte {
	b, err := hkdf.Expand(sha256.New, r.decoy, label, n)
	if err != nil {
		panic("auth: " + err.Error()) // more than 255 hashes: the limits of salts exclude it
	}
	return b
}

// The kinds of salts that are told apart when one is made up.
const (
	saltText = iota
	saltHex
	saltBase64
)

func saltKind(salt string) int {
	if b, err := hex.DecodeString(salt); err == nil && len(b) >= 4 && strings.ToLower(salt) == salt {
		return saltHex
	}
	if b, err := decodeBase64(salt); err == nil && len(b) >= 8 {
		return saltBase64
	}
	return saltText
}

// salt makes up a salt that looks like the model's.
func (r *roster) salt(label, model string) string {
	switch saltKind(model) {
	case saltHex:
		return hex.EncodeToString(r.secret(label, len(model)/2))
	case saltBase64:
		b, _ := decodeBase64(model)
		return base64.StdEncoding.EncodeToString(r.secret(label, len(b)))
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := r.secret(label, len(model))
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// byTicket returns the member of the name if the ticket is theirs, or nil.
func (r *roster) byTicket(name string, ticket Secret) *member {
	if len(ticket) > maxKeySecret {
		return nil
	}
	hash := ticket.Hash()
	m := r.members[name]
	if m == nil {
		m = &member{}
	}
	if subtle.ConstantTimeCompare(hash[:], m.ticket[:]) == 0 {
		return nil
	}
	return m
}

// nameable reports whether a user could have the name.
func nameable(name string) bool { return checkUser(name) == nil }

// grant is what the member gets who proved to be it.
func (m *member) grant(method string) *Grant {
	g := &Grant{
		AuthID: m.name, AuthRole: m.role, Realm: m.realm, AuthMethod: method, Provider: cmp.Or(m.provider, providerStatic),
		Extra: make(map[string]any, 2),
	}
	if method != MethodAnonymous {
		g.Extra["user"] = m.name
	}
	maps.Copy(g.Extra, m.extra)
	return g
}

// errRefused is what every peer is told whose credential is not right, for
// whatever reason; why is for the log.
func errRefused(format string, args ...any) error {
	return &wamp.Error{URI: wamp.URIAuthenticationFail, Text: "authentication failed", Err: fmt.Errorf(format, args...)}
}

// decoySlot is where the store keeps the decoy key. It is the hash of a text
// that is no client token, so nobody can present it as one.
var decoySlot = Secret("wireroom: decoy key").Hash()

// DecoySlot returns the hash under which the store keeps the decoy key, as if it
// were a token. The key is a secret.
func DecoySlot() [32]byte { return decoySlot }

// DecoyKey returns the key for [NewUsers] that the store keeps, and makes it
// if there is none. It outlives restarts, since a made-up salt that changes
// with them would be told from a user's.
func DecoyKey(ctx context.Context, store TokenStore) ([]byte, error) {
	t, err := store.Token(ctx, decoySlot)
	if errors.Is(err, ErrNoToken) {
		var b [32]byte
		rand.Read(b[:])
		now := time.Now()
		fresh := &Token{
			Hash: decoySlot, Client: hex.EncodeToString(b[:]),
			Created: now, LastSeen: now, Expires: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		}
		if err := store.PutToken(ctx, fresh); err != nil {
			return nil, fmt.Errorf("store the decoy key: %w", err)
		}
		t, err = store.Token(ctx, decoySlot) // another node may have been faster
	}
	if err != nil {
		return nil, fmt.Errorf("look up the decoy key: %w", err)
	}
	key, err := hex.DecodeString(t.Client)
	if err != nil || len(key) != 32 {
		return nil, errors.New("the decoy key in the store is damaged: expected 64 hexadecimal digits")
	}
	return key, nil
}
