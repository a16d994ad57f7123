-- Writes, to show that it can be done. ARGV: writer.
local writer = redis.call('HGET', KEYS[1], 'writer')
if writer and writer ~= ARGV[1] then return {'writer', writer} end
redis.call('HSET', KEYS[1], 'probe', '1')
return {'ok'}
