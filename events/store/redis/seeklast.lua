-- Finds the last n records. ARGV: through, n, channel.
local l = load(KEYS[2])
if not l then return {'none'} end
if l.generation ~= redis.call('HGET', KEYS[1], 'generation') then return {'stale'} end
local last, n, channel = math.min(tonumber(ARGV[1]), l.last), tonumber(ARGV[2]), ARGV[3]
local after = math.min(l.first - 1, last)
if n <= 0 then
  after = last
elseif channel == '' then
  after = math.max(after, last - n)
else
  local before = redis.call('ZREVRANGEBYLEX', KEYS[5], '[' .. member(channel, last), '(' .. channel .. '\0', 'LIMIT', text(n), 1)
  if before[1] then after = tonumber(string.sub(before[1], #channel + 2)) end
end
return {'ok', l.epoch, text(l.first), text(l.last), text(l.base), l.line, text(after)}
