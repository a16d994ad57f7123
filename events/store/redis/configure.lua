-- Says which configuration a node has, and has the configuration of the store be
-- that one if the node comes with it and it is another one than before. ARGV: the
-- node; its name; the digest, or nothing; the epoch in which the node last had the
-- configuration of the store, 0 if it comes with one; the digests of its parts.
-- Returns the epoch, the digest, the node and its name that it came with, when, and
-- the digests of the parts, unless they are those of this node.
local me, name, digest, had, parts = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call('HGET', KEYS[1], 'format') ~= FORMAT then return {'format', redis.call('HGET', KEYS[1], 'format') or ''} end
if not redis.call('ZSCORE', KEYS[2], me) then return {'gone', ''} end
local now = clock()
local was = redis.call('HMGET', KEYS[5], 'epoch', 'digest')
local epoch = tonumber(was[1]) or 0
local comes = had == 0 and digest ~= was[2]
if digest ~= '' and (comes or had > epoch) then -- Redis lost a later epoch, if it is only that
  if comes then epoch = epoch + 1 else epoch = had end
  redis.call('DEL', KEYS[5])
  redis.call('HSET', KEYS[5], 'epoch', text(epoch), 'digest', digest, 'node', me, 'name', name, 'time', text(now), 'parts', parts)
  was[2] = digest
end
if digest == was[2] then had = epoch end
local before = redis.call('HGET', KEYS[6], me)
local since = before and string.match(before, '^%S* %d+ (%d+) ') or text(now)
redis.call('HSET', KEYS[6], me, table.concat({digest, text(had), since, name}, ' '))
for _, id in ipairs(redis.call('HKEYS', KEYS[6])) do -- a gateway that knows nothing of this leaves them
  if not redis.call('ZSCORE', KEYS[2], id) then redis.call('HDEL', KEYS[6], id) end
end
local c = redis.call('HMGET', KEYS[5], 'epoch', 'digest', 'node', 'name', 'time', 'parts')
local reply = {'ok'}
for i = 1, 6 do reply[i + 1] = c[i] or '' end
if c[2] == digest then reply[7] = '' end
return reply
