-- Finds a time by bisection. ARGV: through, milliseconds since 1970.
local l = load(KEYS[2])
if not l then return {'none'} end
if l.generation ~= redis.call('HGET', KEYS[1], 'generation') then return {'stale'} end
local last = math.min(tonumber(ARGV[1]), l.last)
local after = last
if last >= l.first then
  local low, high = l.first, last + 1 -- the answer is the first one not before t
  while low < high do
    local middle = math.floor((low + high) / 2)
    local e = entry(KEYS[3], middle)
    if not e then return {'missing', text(middle)} end
    local _, ms = of(e[1])
    if ms < tonumber(ARGV[2]) then low = middle + 1 else high = middle end
  end
  after = low - 1
end
return {'ok', l.epoch, text(l.first), text(l.last), text(l.base), l.line, text(after)}
