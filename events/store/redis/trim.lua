-- Removes records before an offset. ARGV: the epoch, the offset.
local l = load(KEYS[2])
if not l or l.epoch ~= ARGV[1] then return 0 end
local n = trim(2, l, math.min(tonumber(ARGV[2]), l.last + 1))
if n > 0 then save(KEYS[2], l) end
return n
