-- Removes a token. KEYS as for puttoken. ARGV: the length of a member.
local old = redis.call('GET', KEYS[2])
if not old then return 0 end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], string.sub(old, 1, tonumber(ARGV[1])))
return 1
