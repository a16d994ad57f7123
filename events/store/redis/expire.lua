-- Removes tokens that the index gives. KEYS: the writer's, the index by expiry,
-- then tokens. ARGV: the length of a member, the members of these tokens.
local n, size = 0, tonumber(ARGV[1])
for i = 3, #KEYS do
  local was, m = redis.call('GET', KEYS[i]), ARGV[i - 1]
  if was and string.sub(was, 1, size) == m then
    redis.call('DEL', KEYS[i])
    n = n + 1
  end
  redis.call('ZREM', KEYS[2], m)
end
return n
