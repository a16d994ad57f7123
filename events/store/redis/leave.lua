-- Ends a node. ARGV: the node.
if redis.call('HGET', KEYS[1], 'format') ~= FORMAT then return 0 end
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
forget(ARGV[1])
local say = speaker()
say('n', ARGV[1], 'k', 'l')
redis.call('HSET', KEYS[1], 'nodes', redis.call('ZCARD', KEYS[2]))
return 1
