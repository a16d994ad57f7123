-- Replaces a token of a version. KEYS: the writer's, the token, the index by
-- expiry, and that of its user if it has one. ARGV as for puttoken, then the
-- version. Returns 1, 0 if there is no such token, or -1 if it has another
-- version.
local old = redis.call('GET', KEYS[2])
if not old then return 0 end
if old == ARGV[2] .. ARGV[1] then return 1 end -- the answer to the first attempt was lost
if (tonumber(cjson.decode(string.sub(old, #ARGV[2] + 1)).version) or 0) ~= tonumber(ARGV[4]) then return -1 end
puttoken(old)
return 1
