-- Gives a node each task that nobody has, or a node that is gone. ARGV: the node,
-- then tasks. Returns for how many milliseconds nobody else gets what the node has,
-- and which node has each task.
local me = ARGV[1]
local is = redis.call('HGET', KEYS[1], 'format')
if is ~= FORMAT then return {'format', is or ''} end
local ends = redis.call('ZSCORE', KEYS[2], me)
if not ends then return {'gone', ''} end
local reply = {'ok', text(math.max(0, tonumber(ends) - clock()))}
for i = 2, #ARGV do
  local has = redis.call('HGET', KEYS[7], ARGV[i])
  if not has or has ~= me and not redis.call('ZSCORE', KEYS[2], has) then
    redis.call('HSET', KEYS[7], ARGV[i], me)
    has = me
  end
  reply[#reply + 1] = has
end
return reply
