-- Puts records at the end of a log, those that it does not have yet: the call may
-- come twice. ARGV: the importer, the offset of the first one; for each the id
-- with "g" or "m" before it, channel, time, data.
if redis.call('HGET', KEYS[1], 'importer') ~= ARGV[1] then return {'taken'} end
local l, at = load(KEYS[2]), tonumber(ARGV[2])
if not l or at > l.last + 1 then return {'missing', text(at - 1)} end
for i = 3, #ARGV, 4 do
  if at > l.last then
    local id, channel, ms, data = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
    l.last, l.time = at, math.max(l.time, ms)
    local offset = text(at)
    redis.call('XADD', KEYS[3], offset .. '-' .. text(l.time), 'i', id, 'c', channel, 'd', data)
    if string.sub(id, 1, 1) == 'g' then redis.call('HSET', KEYS[4], string.sub(id, 2), offset) end
    if channel ~= '' then redis.call('ZADD', KEYS[5], 0, member(channel, at)) end
  end
  at = at + 1
end
save(KEYS[2], l)
return {'ok'}
