-- Renews the lease of a node. ARGV: the node, up to where it has read the feed,
-- "1" if others are to take it for a new one, the process of Redis in which it
-- has read that, the name of its gateway. Returns the process of Redis, the number of
-- the last entry of the feed, and the nodes.
local say, last, now = attend(ARGV[1], ARGV[5])
if not say then return last end
if ARGV[3] == '1' then
  say('n', ARGV[1], 'k', 'l')
  say('n', ARGV[1], 'k', 'j', 'name', ARGV[5])
end
local here = process()
if here == ARGV[4] then redis.call('HSET', KEYS[1], 'seen:' .. ARGV[1], ARGV[2]) end
local turned = tonumber(redis.call('HGET', KEYS[1], 'turned')) or 0
if now - turned > 5000 or turned > now then
  turn(KEYS[3], last())
  redis.call('HSET', KEYS[1], 'turned', text(now))
end
return members({'ok', here, text(last())})
