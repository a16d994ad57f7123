-- Inserts or replaces a token. KEYS: the writer's, the token, the index by
-- expiry. ARGV: the token, its member in the index, when Redis removes it by
-- itself (milliseconds since 1970).
local old = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[2], ARGV[2] .. ARGV[1], 'PXAT', ARGV[3])
if old then redis.call('ZREM', KEYS[3], string.sub(old, 1, #ARGV[2])) end
redis.call('ZADD', KEYS[3], 0, ARGV[2])
return 1
