-- Appends the records of several requests, once. ARGV: writer, sequence number
-- of this call, and of the one before; the number of classes; for each, how
-- many records it keeps, the epoch and last offset that the gateway knows, and
-- an epoch for the case that one must begin; then for each request the number
-- of its records, and for each record the class (negative: the publisher gave
-- the id), id, channel, time and data.
--
-- The first write may be refused for lack of memory; what follows it cannot be,
-- so that everything happens or nothing.
local slot = text(math.fmod(tonumber(ARGV[2]), 16))
local w = redis.call('HMGET', KEYS[1], 'writer', 'seq', 'generation', slot)
if w[1] ~= ARGV[1] then return {'writer', w[1] or ''} end
local head = ARGV[2] .. '\n'
if w[4] and string.sub(w[4], 1, #head) == head then return {'ok', string.sub(w[4], #head + 1)} end
if w[2] ~= ARGV[3] then return {'step', w[2]} end
local generation = w[3]

local next = 4
local function arg()
  next = next + 1
  return ARGV[next - 1]
end

local logs = {}
for i = 1, tonumber(arg()) do
  local keep, epoch, last, fresh = tonumber(arg()), arg(), tonumber(arg()), arg()
  local l = open(4 * i - 2, generation, epoch, last, fresh)
  l.key, l.keep = 4 * i - 2, keep
  logs[i] = l
end

-- find returns the offset and the time of the record with an id, and its data.
local function find(l, id)
  local at = redis.call('HGET', KEYS[l.key + 2], id)
  if not at then return nil end
  local e = entry(KEYS[l.key + 1], tonumber(at))
  if not e then return nil end
  local _, ms = of(e[1])
  return tonumber(at), ms, e[2][6]
end

local out = {}
while next <= #ARGV do
  local n, from = tonumber(arg()), next
  next = next + 5 * n
  -- Nothing is written before it is known that no record is in conflict.
  local conflict, seen = nil, {}
  for i = 1, n do
    local a = from + 5 * (i - 1)
    local class = tonumber(ARGV[a])
    if class < 0 then
      local id, data = ARGV[a + 1], ARGV[a + 4]
      local key = -class .. ' ' .. id
      local at, _, before = find(logs[-class], id)
      if not at then before = seen[key] end
      if before and before ~= data then
        conflict = i
        break
      end
      seen[key] = data
    end
  end
  if conflict then
    out[#out + 1] = '!' .. conflict
  else
    local results = {}
    for i = 1, n do
      local a = from + 5 * (i - 1)
      local class, id, channel, ms, data = tonumber(ARGV[a]), ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3]), ARGV[a + 4]
      local given = class < 0
      local l = logs[math.abs(class)]
      local at, when
      if given then at, when = find(l, id) end
      if at then
        results[i] = 'd' .. text(at) .. ':' .. text(when)
      else
        l.last, l.time, l.changed = l.last + 1, math.max(l.time, ms), true
        local offset = text(l.last)
        redis.call('XADD', KEYS[l.key + 1], offset .. '-' .. text(l.time),
          'i', (given and 'g' or 'm') .. id, 'c', channel, 'd', data)
        if given then redis.call('HSET', KEYS[l.key + 2], id, offset) end
        if channel ~= '' then redis.call('ZADD', KEYS[l.key + 3], 0, member(channel, l.last)) end
        results[i] = l.time == ms and offset or offset .. ':' .. text(l.time)
      end
    end
    out[#out + 1] = table.concat(results, ' ')
  end
end

local heads = {}
for i, l in ipairs(logs) do
  local held = l.last + 1 - l.first
  if l.keep > 0 and held > l.keep + math.min(math.floor(l.keep / 8), 1024) then
    trim(l.key, l, l.last + 1 - l.keep)
  end
  if l.changed then save(KEYS[l.key], l) end
  heads[i] = l.epoch .. ':' .. text(l.base)
end
table.insert(out, 1, table.concat(heads, ' '))
local reply = table.concat(out, '\n')
redis.call('HSET', KEYS[1], 'seq', ARGV[2], slot, head .. reply)
return {'ok', reply}
