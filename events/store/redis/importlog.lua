-- Makes a log without records, or begins it anew. ARGV: the importer, epoch,
-- offset of the first record, base.
local h = redis.call('HMGET', KEYS[1], 'importer', 'generation')
if h[1] ~= ARGV[1] then return {'taken'} end
for i = 2, 5 do redis.call('DEL', KEYS[i]) end
local first = tonumber(ARGV[3])
save(KEYS[2], {
  epoch = ARGV[2], first = first, last = first - 1, time = 0, base = tonumber(ARGV[4]), generation = h[2], line = '',
})
return {'ok'}
