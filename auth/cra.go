package auth

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wireroom/wireroom/router/wamp"
)

// A craChallenge is what a client of WAMP-CRA signs. All of it is named by the
// specification.
type craChallenge struct {
	AuthID       string  `json:"authid"`
	AuthRole     string  `json:"authrole"`
	AuthMethod   string  `json:"authmethod"`
	AuthProvider string  `json:"authprovider"`
	Nonce        string  `json:"nonce"`
	Timestamp    string  `json:"timestamp"`
	Session      wamp.ID `json:"session"`
}

// craTime is how the timestamp of a challenge is written.
const craTime = "2006-01-02T15:04:05.000Z"

// challengeCRA starts WAMP-CRA with who the client says it is, or returns nil
// if a user of this look has no secret for it.
func (a *Auth) challengeCRA(r *roster, hello *Hello) *Challenge {
	m, known := r.find(hello.AuthID)
	if m.cra == nil {
		return nil
	}
	var stranger error
	if !known {
		stranger = fmt.Errorf("there is no user %q", m.name)
	}
	return a.craChallenge(m, stranger, hello)
}

// craChallenge challenges m, which stranger says is made up, and why.
func (a *Auth) craChallenge(m *member, stranger error, hello *Hello) *Challenge {
	text, err := json.Marshal(craChallenge{
		AuthID: m.name, AuthRole: m.role, AuthMethod: MethodCRA, AuthProvider: cmp.Or(m.provider, providerStatic),
		Nonce: rand.Text(), Timestamp: time.Now().UTC().Format(craTime), Session: hello.Session,
	})
	if err != nil {
		panic("auth: a challenge cannot be written as JSON: " + err.Error()) // texts and a number
	}
	extra := map[string]any{"challenge": string(text)}
	if m.cra.salt != "" {
		extra["salt"] = m.cra.salt
		extra["iterations"] = int64(m.cra.iterations)
		extra["keylen"] = int64(m.cra.keyLen)
	}
	expected := signCRA(m.cra.key, string(text))
	return &Challenge{
		Method: MethodCRA,
		Extra:  extra,
		Answer: func(ctx context.Context, signature string, _ map[string]any) (*Grant, error) {
			// Compared as text: base64 has one way to write a signature.
			right := hmac.Equal([]byte(signature), []byte(expected))
			if m.provider == providerDynamic && !right {
				key, err := m.cra.derived(ctx)
				if err != nil {
					return nil, err
				}
				if key != nil {
					right = hmac.Equal([]byte(signature), []byte(signCRA(key, string(text))))
				}
			}
			switch {
			case stranger != nil:
				return nil, errRefused("wampcra: %w", stranger)
			case !right:
				return nil, errRefused("wampcra: the signature of %q is wrong", m.name)
			}
			return m.grant(MethodCRA), nil
		},
	}
}

func signCRA(key []byte, challenge string) string {
	return base64.StdEncoding.EncodeToString(mac(key, challenge))
}
