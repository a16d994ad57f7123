-- Writes, to show that it can be done. ARGV: writer, and from whom it took over.
local writer = redis.call('HGET', KEYS[1], 'writer')
if writer and writer ~= ARGV[1] and writer ~= ARGV[2] then return {'writer', writer} end
redis.call('HSET', KEYS[1], 'probe', '1')
return {'ok'}
