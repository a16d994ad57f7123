-- Ends an import: gateways may use the store. ARGV: the importer, the process of
-- Redis that the import ran on. The call may come twice.
local h = redis.call('HMGET', KEYS[1], 'importer', 'imported')
if h[2] == ARGV[1] then return {'ok'} end
if h[1] ~= ARGV[1] then return {'taken'} end
redis.call('HDEL', KEYS[1], 'importer')
redis.call('HSET', KEYS[1], 'format', FORMAT, 'writer', 'nodes', 'run', ARGV[2], 'imported', ARGV[1])
return {'ok'}
