-- Inserts or replaces a persistent subscription. KEYS: the writer's, the
-- subscription, the index by owner and name, the index by expiry. ARGV: its
-- member in the indexes, what those of its owner begin with, the time now, how
-- many may live besides, its expiry, then its fields and values.
-- Returns members of the owner's that have expired.
--
-- The first write may be refused for lack of memory; what follows it cannot be.
local member, prefix, now, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local out = {'ok'}
local was = redis.call('ZSCORE', KEYS[4], member)
if not was or tonumber(was) <= now then
  local live, start, stop = 0, '[' .. prefix, '(' .. string.sub(prefix, 1, -2) .. '\1'
  local all = {} -- nothing is looked at as long as there are few
  if redis.call('ZLEXCOUNT', KEYS[3], start, stop) >= most then
    all = redis.call('ZRANGEBYLEX', KEYS[3], start, stop)
  end
  for _, m in ipairs(all) do
    local at = tonumber(redis.call('ZSCORE', KEYS[4], m) or now)
    if m == member then
      -- it is to be replaced
    elseif at > now then
      live = live + 1
    elseif #out <= 256 then
      out[#out + 1] = m
    end
  end
  if live >= most then return {'many'} end
end
redis.call('HSET', KEYS[2], unpack(ARGV, 6))
redis.call('ZADD', KEYS[3], 0, member)
redis.call('ZADD', KEYS[4], ARGV[5], member)
return out
