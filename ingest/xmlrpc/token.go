package xmlrpc

import (
	"strconv"
	"time"

	"github.com/wireroom/wireroom/ingest"
)

// maxTTL is how long a token may be asked to live: ten years.
const maxTTL = 10 * 365 * 24 * time.Hour

// tokenMethod returns session.token for a sink that can mint tokens.
func tokenMethod(minter ingest.TokenMinter) *method {
	return &method{
		name:   "session.token",
		params: []string{"key", "user", "roles", "ttl"},
		min:    2,
		signatures: [][]string{
			{"string", "string", "string"},
			{"string", "string", "string", "array"},
			{"string", "string", "string", "array", "int"},
		},
		help: `session.token(key, user[, roles[, ttl]]) -> token

Returns a token with which a browser joins as the user of the web application,
with the roles (an array of strings), for ttl seconds.`,
		call: func(c *call, a args) error { return c.mintToken(minter, a) },
	}
}

// mintToken is session.token.
func (c *call) mintToken(minter ingest.TokenMinter, a args) error {
	key, err := c.key(a, 0)
	if err != nil {
		return err
	}
	user, err := c.string(a, 1)
	if err != nil {
		return err
	}
	if user == "" {
		return faultf(CodeInvalidParams, "session.token: parameter 2 (user): expected a name, found an empty string")
	}
	var roles []string
	if c.has(a, 2) {
		if roles, err = c.strings(a, 2); err != nil {
			return err
		}
	}
	var ttl time.Duration
	if c.has(a, 3) {
		if ttl, err = c.seconds(a, 3); err != nil {
			return err
		}
	}
	token, _, err := minter.Token(c.ctx, key, user, roles, ttl)
	if err != nil {
		return ingest.Single(err)
	}
	c.out = appendString(c.out, token)
	return nil
}

// strings returns parameter i, which must be an array of strings.
func (c *call) strings(a args, i int) ([]string, error) {
	if err := c.is(a, i, typeArray); err != nil {
		return nil, err
	}
	array := int(a.at[i])
	var all []string
	for item := array + 1; item < int(c.nodes[array].next); item = int(c.nodes[item].next) {
		if typ := c.nodes[item].typ; typ != typeString {
			return nil, faultf(CodeInvalidParams, "%s: parameter %d (%s): expected strings in the array, found %v",
				a.method.name, i+1, a.method.params[i], typ)
		}
		all = append(all, c.stringAt(item))
	}
	return all, nil
}

// seconds returns parameter i, which must be a whole number of seconds.
func (c *call) seconds(a args, i int) (time.Duration, error) {
	if err := c.is(a, i, typeInt); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(c.jsonOf(int(a.at[i]))), 10, 64)
	if limit := int64(maxTTL / time.Second); err != nil || n < 1 || n > limit {
		return 0, faultf(CodeInvalidParams, "%s: parameter %d (%s): expected 1 to %d seconds, found %s",
			a.method.name, i+1, a.method.params[i], limit, c.jsonOf(int(a.at[i])))
	}
	return time.Duration(n) * time.Second, nil
}
