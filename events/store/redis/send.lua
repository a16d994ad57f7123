-- Puts messages of a node into the feed, once. ARGV: the node, the number of
-- this call, then kind and payload of each message.
local w = redis.call('HMGET', KEYS[1], 'nodes', 'sent:' .. ARGV[1], 'size')
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return {'gone', ''} end
if w[2] and tonumber(w[2]) >= tonumber(ARGV[2]) then return {'ok', ''} end
if tonumber(w[1]) > 1 then
  local size = tonumber(w[3]) or 0
  for i = 3, #ARGV do size = size + #ARGV[i] + 16 end
  local say, last = speaker()
  say('n', ARGV[1], 'k', 'm', unpack(ARGV, 3))
  redis.call('HSET', KEYS[1], 'sent:' .. ARGV[1], ARGV[2], 'size', text(size))
  if size > FEEDBYTES then turn(KEYS[3], last()) end
end
return {'ok', ''}
