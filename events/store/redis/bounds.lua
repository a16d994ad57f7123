-- Returns the bounds of a log, and makes it, or begins a new epoch in it, if it
-- must. ARGV: the epoch and last offset that the gateway knows, a new epoch, the
-- writer, and from whom it took over. Another gateway must not change it.
local w = redis.call('HMGET', KEYS[1], 'writer', 'generation')
if w[1] and w[1] ~= ARGV[4] and w[1] ~= ARGV[5] then return {'writer', w[1]} end
local generation = w[2]
if not generation then -- Redis lost all there was; the gateway claims the rest when it writes
  generation = ARGV[3]
  redis.call('HSET', KEYS[1], 'generation', generation)
end
local l = open(2, generation, ARGV[1], tonumber(ARGV[2]), ARGV[3])
if l.changed then save(KEYS[2], l) end
return {l.epoch, text(l.first), text(l.last), text(l.base)}
