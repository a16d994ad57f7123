-- Begins the calls of a node anew, from the sequence number on that it gives,
-- and has it join if it must. ARGV: the node, sequence, generation for the case
-- that one must begin, "1" if the node is alone, the name of its gateway. Returns the
-- process of Redis, the number of the last entry of the feed, and the nodes.
local say, last = attend(ARGV[1], ARGV[5])
if not say then return last end
local now = process()
if now == '' and redis.call('ZCARD', KEYS[2]) > 1 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  say('n', ARGV[1], 'k', 'l')
  redis.call('HSET', KEYS[1], 'nodes', redis.call('ZCARD', KEYS[2]))
  return {'info', ''}
end
local was = redis.call('HMGET', KEYS[1], 'generation', 'run')
settle(was[1], was[2] or '', ARGV[4], ARGV[3])
local fields = {}
for i = 0, 15 do fields[#fields + 1] = ARGV[1] .. ':' .. i end
redis.call('HDEL', KEYS[1], unpack(fields))
redis.call('HSET', KEYS[1], 'seq:' .. ARGV[1], ARGV[2])
return members({'ok', now, text(last())})
