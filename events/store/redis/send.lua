-- Puts messages of a node into the feed, once. ARGV: the node, the number of
-- this call, "1" if it may have been made before, then kind and payload of each
-- message.
local w = redis.call('HMGET', KEYS[1], 'nodes', 'sent:' .. ARGV[1], 'size')
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return {'gone', ''} end
if w[2] and tonumber(w[2]) >= tonumber(ARGV[2]) then return {'ok', ''} end
if ARGV[3] == '1' and not w[2] then return {'gone', ''} end -- it may have been forgotten
if tonumber(w[1]) > 1 then
  local size = tonumber(w[3]) or 0
  for i = 4, #ARGV do size = size + #ARGV[i] + 16 end
  local say, last = speaker()
  say('n', ARGV[1], 'k', 'm', unpack(ARGV, 4))
  redis.call('HSET', KEYS[1], 'sent:' .. ARGV[1], ARGV[2], 'size', text(size))
  if size > FEEDBYTES then turn(KEYS[3], last()) end
end
return {'ok', ''}
