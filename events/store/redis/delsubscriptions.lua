-- Removes persistent subscriptions. KEYS: the writer's, the index by owner and
-- name, the index by expiry, then subscriptions. ARGV: the time now, to remove
-- those only that have expired, or nothing; then their members in the indexes.
-- Returns how many it removed.
local n, now = 0, tonumber(ARGV[1])
for i = 4, #KEYS do
  local member = ARGV[i - 2]
  local at = redis.call('ZSCORE', KEYS[3], member)
  if not now or not at or tonumber(at) <= now then
    n = n + redis.call('DEL', KEYS[i])
    redis.call('ZREM', KEYS[2], member)
    redis.call('ZREM', KEYS[3], member)
  end
end
return n
