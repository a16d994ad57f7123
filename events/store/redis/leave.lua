-- Says that a gateway wrote all it had to write. ARGV: writer.
if redis.call('HGET', KEYS[1], 'writer') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'clean', '1')
return 1
