package xmlrpc

import (
	"encoding/json"

	"github.com/wireroom/wireroom/ingest"
)

// sessionMethods returns the methods about users' devices, for a sink that
// knows them.
func sessionMethods(keeper ingest.SessionKeeper) []*method {
	return []*method{
		{
			name: "session.devices", params: []string{"key", "user"}, min: 2,
			signatures: [][]string{{"array", "string", "string"}},
			help: `session.devices(key, user) -> array of structs

Returns the devices on which the user of the web application is logged in, with
their client, agent, made, seen, expires and sessions.`,
			call: func(c *call, a args) error { return c.listDevices(keeper, a) },
		},
		{
			name: "session.revoke", params: []string{"key", "user", "client"}, min: 2,
			signatures: [][]string{{"int", "string", "string"}, {"int", "string", "string", "string"}},
			help: `session.revoke(key, user[, client]) -> int

Logs the user of the web application out on the device with this client, or on
all, ends the sessions there, and returns on how many devices that was.`,
			call: func(c *call, a args) error { return c.revokeSessions(keeper, a) },
		},
	}
}

// listDevices is session.devices.
func (c *call) listDevices(keeper ingest.SessionKeeper, a args) error {
	key, user, err := c.keyAndUser(a)
	if err != nil {
		return err
	}
	devices, err := keeper.Devices(c.ctx, key, user)
	if err != nil {
		return ingest.Single(err)
	}
	text, err := json.Marshal(devices)
	if err != nil {
		return err
	}
	c.out, err = appendJSON(c.out, text)
	return err
}

// revokeSessions is session.revoke.
func (c *call) revokeSessions(keeper ingest.SessionKeeper, a args) error {
	key, user, err := c.keyAndUser(a)
	if err != nil {
		return err
	}
	client := ""
	if c.has(a, 2) {
		if client, err = c.string(a, 2); err != nil {
			return err
		}
		if client == "" {
			return faultf(CodeInvalidParams, "session.revoke: parameter 3 (client): expected a client, found an empty string; leave it out to log the user out everywhere")
		}
	}
	n, err := keeper.Revoke(c.ctx, key, user, client)
	if err != nil {
		return ingest.Single(err)
	}
	c.out = appendInt(c.out, int64(n))
	return nil
}

// keyAndUser returns the first two parameters.
func (c *call) keyAndUser(a args) (key ingest.Key, user string, err error) {
	if key, err = c.key(a, 0); err != nil {
		return key, "", err
	}
	if user, err = c.string(a, 1); err != nil {
		return key, "", err
	}
	if user == "" {
		return key, "", faultf(CodeInvalidParams, "%s: parameter 2 (user): expected a name, found an empty string", a.method.name)
	}
	return key, user, nil
}
