-- What the scripts share. The keys of a class come in this order: meta, log,
-- ids, channels. KEYS[1] is always the key of the writer.

local MAX = '18446744073709551615'

local function text(n) return string.format('%.0f', n) end

-- of takes the offset and the time out of the ID of an entry.
local function of(id)
  local at, ms = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(at), tonumber(ms)
end

-- entry returns the entry at an offset, or nil.
local function entry(log, at)
  local o = text(at)
  return redis.call('XRANGE', log, o .. '-0', o .. '-' .. MAX, 'COUNT', 1)[1]
end

-- member returns what stands for a record in the index of channels.
local function member(channel, at)
  return channel .. '\0' .. string.format('%016.0f', at)
end

-- load reads what is known of a log; nil if there is none.
local function load(meta)
  local m = redis.call('HMGET', meta, 'epoch', 'last', 'first', 'time', 'base', 'generation')
  if not m[1] then return nil end
  return {
    epoch = m[1], last = tonumber(m[2]), first = tonumber(m[3]), time = tonumber(m[4]),
    base = tonumber(m[5]), generation = m[6],
  }
end

local function save(meta, l)
  redis.call('HSET', meta, 'epoch', l.epoch, 'last', text(l.last), 'first', text(l.first),
    'time', text(l.time), 'base', text(l.base), 'generation', l.generation)
end

-- open reads a log, and begins a new epoch in it if there is none, or if it is
-- not, or no longer, the one that the gateway knows. What it has stays.
local function open(k, generation, epoch, last, fresh)
  local l = load(KEYS[k])
  if not l then
    for i = 1, 3 do
      if redis.call('EXISTS', KEYS[k + i]) == 1 then redis.call('DEL', KEYS[k + i]) end
    end
    return {epoch = fresh, last = 0, first = 1, time = 0, base = 0, generation = generation, changed = true}
  end
  if l.generation ~= generation or epoch ~= '' and (l.epoch ~= epoch or l.last < last) then
    l.epoch, l.base, l.generation, l.changed = fresh, l.last, generation, true
  end
  return l
end

-- trim removes records before the offset first, at most 4096 of them, and what
-- the indexes have of them. It does not save l.
local function trim(k, l, first)
  local log, ids, channels = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]
  local begin = l.first
  first = math.min(first, begin + 4096)
  while l.first < first do
    local some = redis.call('XRANGE', log, text(l.first) .. '-0', text(first - 1) .. '-' .. MAX, 'COUNT', 32)
    if #some == 0 then
      l.first = first
      break
    end
    for _, e in ipairs(some) do
      local at = of(e[1])
      local id, channel = e[2][2], e[2][4]
      if string.sub(id, 1, 1) == 'g' then
        id = string.sub(id, 2)
        if redis.call('HGET', ids, id) == text(at) then redis.call('HDEL', ids, id) end
      end
      if channel ~= '' then redis.call('ZREM', channels, member(channel, at)) end
      l.first = at + 1
    end
  end
  if l.first > begin then redis.call('XTRIM', log, 'MINID', text(l.first) .. '-0') end
  return l.first - begin
end
