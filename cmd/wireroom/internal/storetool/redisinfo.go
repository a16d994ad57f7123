package storetool

import "strconv"

// A RedisInfo is about the server that has a store.
type RedisInfo struct {
	Server     string `json:"server"`               // "Redis 7.0.15"; empty: the user may not ask
	Role       string `json:"role,omitempty"`       // primary or replica
	Replicas   int    `json:"replicas"`             // that are connected
	Memory     int64  `json:"memory"`               // in use, of all that the server has, in bytes
	MaxMemory  int64  `json:"max_memory,omitempty"` // 0: no limit
	Policy     string `json:"maxmemory_policy,omitempty"`
	AppendOnly bool   `json:"appendonly"`
	Fsync      string `json:"appendfsync,omitempty"` // empty: the user may not ask
	Promise    string `json:"promise"`               // what an acknowledgement is worth
}

// describeRedis reads what INFO says.
func describeRedis(f map[string]string) *RedisInfo {
	r := &RedisInfo{Role: f["role"], Policy: f["maxmemory_policy"], AppendOnly: f["aof_enabled"] == "1"}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(f[name], 10, 64) // 0 if it is not there
		return n
	}
	switch {
	case f["valkey_version"] != "":
		r.Server = "Valkey " + f["valkey_version"]
	case f["redis_version"] != "":
		r.Server = "Redis " + f["redis_version"]
	}
	switch r.Role {
	case "master":
		r.Role = "primary"
	case "slave":
		r.Role = "replica"
	}
	r.Replicas = int(number("connected_slaves"))
	r.Memory, r.MaxMemory = number("used_memory"), number("maxmemory")
	r.Fsync = f["appendfsync"]
	r.Promise = promise(r)
	return r
}

// promise says what is lost when, as docs/design/026-redis-store.md does.
func promise(r *RedisInfo) string {
	switch {
	case r.Server == "":
		return "not known: the user of Redis may not use INFO"
	case !r.AppendOnly:
		return "appendonly no: if Redis is killed or the machine loses power, all since the last snapshot is lost"
	case r.Fsync == "always":
		return "appendonly yes, appendfsync always: nothing is lost if Redis is killed or the machine loses power"
	case r.Fsync == "everysec":
		return "appendonly yes, appendfsync everysec: nothing is lost if Redis is killed, about 2 s if the machine loses power"
	case r.Fsync == "no":
		return "appendonly yes, appendfsync no: nothing is lost if Redis is killed, 30 s or more if the machine loses power"
	}
	return "appendonly yes: nothing is lost if Redis is killed; what is lost if the machine loses power depends on appendfsync, which its user may not ask for"
}
