package redis_test

import (
	"testing"

	"github.com/wireroom/wireroom/events"
	"github.com/wireroom/wireroom/events/store/redis"
)

// An answer is an error that a server answers with.
type answer string

func (a answer) Error() string { return string(a) }

// RedisError makes it one in the eyes of the client.
func (a answer) RedisError() {}

// What a command in a script is answered is known in the words of each server.
func TestErrorsInScripts(t *testing.T) {
	for _, test := range []struct {
		name, text string
		what       string
		kind       error
		again      bool
	}{
		{
			"Redis 7", "OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:9.",
			"has used all the memory that it may use", events.ErrFull, false,
		},
		{
			"Redis 6.2, call", "ERR Error running script (call to f_1f): @user_script:271: @user_script: 271: -OOM command not allowed when used memory > 'maxmemory'.",
			"has used all the memory that it may use", events.ErrFull, false,
		},
		{
			"Redis 6.2, replica", "ERR Error running script (call to f_1f): @user_script:157: @user_script: 157: -READONLY You can't write against a read only replica.",
			"is a replica that can only be read", events.ErrUnavailable, true,
		},
		{
			"Redis 6.2, type", "ERR Error running script (call to f_1f): @user_script:192: WRONGTYPE Operation against a key holding the wrong kind of value",
			"has keys of another program under the prefix", events.ErrUnavailable, false,
		},
		{
			"Redis 6.2, permission", "ERR Error running script (call to f_1f): @user_script:182: @user_script: 182: The user executing the script can't run this command or subcommand",
			"does not give this user all permissions that it needs", events.ErrUnavailable, false,
		},
		{
			"Valkey, permission", "ERR ACL failure in script: User gateway has no permissions to run the 'del' command script: 1f, on @user_script:182.",
			"does not give this user all permissions that it needs", events.ErrUnavailable, false,
		},
		{
			"a mistake in a script", "ERR Error running script (call to f_1f): @user_script:2: user_script:2: attempt to index a nil value (READONLY)",
			"does not answer as it should", events.ErrUnavailable, false,
		},
	} {
		if e, again := redis.Explain("redis://localhost", "do it", answer(test.text)); e.What != test.what || e.Kind != test.kind || again != test.again {
			t.Errorf("%s: %q, %v, again %t; want %q, %v, %t", test.name, e.What, e.Kind, again, test.what, test.kind, test.again)
		}
	}
}
