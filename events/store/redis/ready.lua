-- Writes, to show that it can be done.
local format = redis.call('HGET', KEYS[1], 'format')
if format and format ~= FORMAT then return {'format', format} end
redis.call('HSET', KEYS[1], 'probe', '1')
return {'ok'}
