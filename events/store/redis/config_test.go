package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wireroom/wireroom/events/store/redis"
)

func TestURL(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"redis://localhost", "redis://localhost:6379"},
		{"rediss://ada:pass%40word@[::1]:6380/3", "rediss://[::1]:6380/3"},
		{"redis://:pass@10.0.0.1/", "redis://10.0.0.1:6379"},
		{"redis://[::1]", "redis://[::1]:6379"},
		{"redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock"},
		{"redis+unix://:pass@/run/redis.sock?db=2", "redis+unix:///run/redis.sock?db=2"},
		{"redis+sentinel://a,b:1/mymaster", "redis+sentinel://a:26379,b:1/mymaster"},
		{"rediss+sentinel://u:p@a/mymaster/4", "rediss+sentinel://a:26379/mymaster/4"},
		{"redis+cluster://a,b:1", "redis+cluster://a:6379,b:1"},
	} {
		if err := redis.CheckURL(test.url); err != nil {
			t.Errorf("%s: %v", test.url, err)
		}
		if got := redis.Redacted(test.url); got != test.want {
			t.Errorf("%s is %s, want %s", test.url, got, test.want)
		}
	}
	for _, test := range []struct{ url, want string }{
		{"", "begins with redis:// or rediss://"},
		{"localhost:6379", "begins with redis://"},
		{"http://localhost", "begins with redis://"},
		{"redis+carrier://localhost", "found redis+carrier"},
		{"rediss+unix:///run/redis.sock", "has no TLS"},
		{"redis://", `expected host:port, found ""`},
		{"redis://localhost:0", "expected host:port"},
		{"redis://a[", "expected host:port"},
		{"redis://localhost:65536", "expected host:port"},
		{"redis://a,b", "found several"},
		{"redis://::1", "expected host:port"},
		{"redis://localhost/-1", "the number of a database"},
		{"redis://localhost/x", "the number of a database"},
		{"redis://localhost?db=1", "nothing after a question mark"},
		{"redis://ada:hunter2%@localhost", "a % that begins no such thing"},
		{"redis://ada:hunter2/x@localhost", "/ is written as %2F"},
		{"redis://ada:12/hunter2@localhost", "/ is written as %2F"},
		{"redis+sentinel://:12/hunter2@localhost/m", "/ is written as %2F"},
		{"redis+unix://localhost/run/redis.sock", "the path of a socket"},
		{"redis+unix://", "the path of a socket"},
		{"redis+unix:///run/redis.sock?x=1", "?db=NUMBER"},
		{"redis+sentinel://a", "the name of the primary"},
		{"redis+cluster://a/1", "expected no database"},
	} {
		err := redis.CheckURL(test.url)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", test.url, err, test.want)
		}
	}
}

// What is shown of a URL is a URL of the same place, without the password.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"redis://u:secret@localhost:1/2", "redis+sentinel://:secret@a,[::1]:2/m/1", "redis+unix://u:secret@/a?db=1", "rediss+cluster://a,b", "redis://%41:%@x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		if redis.CheckURL(url) != nil {
			return
		}
		shown := redis.Redacted(url)
		if err := redis.CheckURL(shown); err != nil || redis.Redacted(shown) != shown || !redis.IsURL(shown) {
			t.Errorf("%q is shown as %q, which is shown as %q, %v", url, shown, redis.Redacted(shown), err)
		}
	})
}

func TestConfig(t *testing.T) {
	for _, test := range []struct {
		change func(c *redis.Config)
		path   string
	}{
		{func(c *redis.Config) {}, ""},
		{func(c *redis.Config) { c.URL = "x" }, "url"},
		{func(c *redis.Config) { c.CA = "x" }, "ca"},
		{func(c *redis.Config) { c.Prefix = "" }, "prefix"},
		{func(c *redis.Config) { c.Prefix = "a}b" }, "prefix"},
		{func(c *redis.Config) { c.Node = strings.Repeat("x", 64) }, ""},
		{func(c *redis.Config) { c.Node = strings.Repeat("x", 65) }, "node"},
		{func(c *redis.Config) { c.Node = "front 1" }, "node"},
		{func(c *redis.Config) { c.Timeout = time.Millisecond }, "timeout"},
		{func(c *redis.Config) { c.SentinelPassword = "x" }, "sentinel_password"},
		{func(c *redis.Config) { c.URL, c.SentinelPassword = "redis+sentinel://a/m", "x" }, ""},
		{func(c *redis.Config) { c.URL, c.SentinelUser = "redis+sentinel://a/m", "x" }, "sentinel_user"},
		{func(c *redis.Config) { c.BatchRecords = 0 }, "batch_records"},
		{func(c *redis.Config) { c.BatchBytes = 0 }, "batch_bytes"},
		{func(c *redis.Config) { c.QueueRecords = 0 }, "queue_records"},
		{func(c *redis.Config) { c.QueueBytes = 0 }, "queue_bytes"},
	} {
		c := redis.DefaultConfig()
		c.URL = "redis://localhost"
		test.change(&c)
		got := ""
		c.Validate(func(path string, _ error) { got += path })
		if got != test.path {
			t.Errorf("problems with %q, want %q", got, test.path)
		}
	}
}
