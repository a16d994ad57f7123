-- Takes tasks from a node. KEYS: the writer's, who has which task. ARGV: the node,
-- then tasks. Returns how many it had.
local n = 0
for i = 2, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[1] then
    n = n + redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
return n
