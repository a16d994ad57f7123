-- Returns the bounds of a log, and makes it, or begins a new epoch in it, if it
-- must. ARGV: the epoch and last offset that the node knows, a new epoch, "1" if
-- the node is alone.
local w = redis.call('HMGET', KEYS[1], 'generation', 'run')
local generation, run, alone = w[1], w[2] or '', ARGV[4]
if alone ~= '1' or ARGV[1] == '' or not generation then
  if alone ~= '1' and process() == '' then return {'info', ''} end
  generation, run = settle(generation, run, alone, ARGV[3])
end
local l = open(2, generation, run, ARGV[1], tonumber(ARGV[2]), alone, ARGV[3])
if l.changed then save(KEYS[2], l) end
return {l.epoch, text(l.first), text(l.last), text(l.base), l.line}
