-- What the scripts share. The keys of a class come in this order: meta, log,
-- ids, channels. KEYS[1] is always the head of the store.

local function text(n) return string.format(FORMATINT, n) end

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
  local m = redis.call('HMGET', meta, 'epoch', 'last', 'first', 'time', 'base', 'generation', 'line')
  if not m[1] then return nil end
  return {
    epoch = m[1], last = tonumber(m[2]), first = tonumber(m[3]), time = tonumber(m[4]),
    base = tonumber(m[5]), generation = m[6], line = m[7] or '',
  }
end

local function save(meta, l)
  redis.call('HSET', meta, 'epoch', l.epoch, 'last', text(l.last), 'first', text(l.first),
    'time', text(l.time), 'base', text(l.base), 'generation', l.generation, 'line', l.line)
  if l.instead then redis.call('HSET', meta, 'instead', l.instead) end
end

-- process returns what tells the data of this process of Redis from those of
-- others, or nothing if this user may not know. It is another one, too, when
-- a process that was the primary before has become that again: it has what the
-- primary between had, which may be less.
local answer -- of process: it cannot change while a script runs
local function process()
  if not answer then
    local info = redis.pcall('INFO', 'replication')
    local _, at = string.find(type(info) == 'string' and info or '', 'master_replid:', 1, true)
    answer = at and string.match(info, '^%w+', at + 1) or ''
  end
  return answer
end

-- settle returns the generation of the store. It begins a new one, in which
-- all logs get new epochs, if Redis is another process than before and nobody
-- knows what it lost. A node that is alone knows it, but not for others.
local function settle(generation, run, alone, fresh)
  local now = process()
  if generation and now ~= '' and now == run then return generation, run end
  if generation and alone == '1' then
    if run ~= '' then redis.call('HSET', KEYS[1], 'run', '') end
    return generation, ''
  end
  redis.call('HSET', KEYS[1], 'generation', fresh, 'run', now)
  return fresh, now
end

-- instead returns what is noted of a log that was made anew for a node that knows
-- an epoch: other calls of that node may be on their way and know no better.
local function instead(epoch)
  local now = epoch ~= '' and process() or ''
  return now ~= '' and epoch .. ' ' .. now or ''
end

-- open reads a log, and begins a new epoch in it if there is none, if another
-- generation began, or if it is not the one that the node knows, as it must be
-- for a node that is alone, nor the one that was begun in place of that in this
-- process of Redis. What it has stays, and line says of epochs before up to where
-- they had the same.
local function open(k, generation, run, epoch, last, alone, fresh)
  local l = load(KEYS[k])
  if not l then
    for i = 1, 3 do
      if redis.call('EXISTS', KEYS[k + i]) == 1 then redis.call('DEL', KEYS[k + i]) end
    end
    return {epoch = fresh, last = 0, first = 1, time = 0, base = 0, generation = generation, line = '', changed = true, instead = instead(epoch)}
  end
  local lost = l.generation ~= generation or epoch == l.epoch and l.last < last
  if alone == '1' then
    lost = lost or epoch == '' and run == ''
    if not lost and epoch ~= '' and epoch ~= l.epoch then
      local now = instead(epoch)
      lost = now == '' or redis.call('HGET', KEYS[k], 'instead') ~= now
    end
  end
  if lost then
    local line, n = {l.epoch .. ':' .. text(l.last)}, 1
    for part in string.gmatch(l.line, '%S+') do
      n = n + 1
      if n <= 8 then line[n] = part end
    end
    l.line = table.concat(line, ' ')
    l.epoch, l.base, l.generation, l.changed = fresh, l.last, generation, true
    l.instead = instead(epoch)
  end
  return l
end

-- trim removes records before the offset first, at most 4096 of them, and what
-- the indexes have of them. It does not save l.
local function trim(k, l, first)
  local log, ids, channels = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]
  local begin = l.first
  first = math.min(first, begin + 4096)
  if redis.call('EXISTS', ids) == 0 and redis.call('EXISTS', channels) == 0 then
    l.first = math.max(begin, first) -- nothing has to be looked up
  end
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

-- turn forgets the older half of the feed, whose last entry has the number n.
local function turn(feed, n)
  local past = tonumber(redis.call('HGET', KEYS[1], 'mark')) or 0
  redis.call('XTRIM', feed, 'MINID', text(past + 1) .. '-0')
  redis.call('HSET', KEYS[1], 'mark', text(n), 'size', '0')
end

-- puttoken writes a token in place of old, which may be nil, by the keys and
-- arguments of the script puttoken. The index of its user lives as long as the
-- token that does longest.
local function puttoken(old)
  local member, gone = ARGV[2], ARGV[3]
  redis.call('SET', KEYS[2], member .. ARGV[1], 'PXAT', gone)
  if old then redis.call('ZREM', KEYS[3], string.sub(old, 1, #member)) end
  redis.call('ZADD', KEYS[3], 0, member)
  if not KEYS[4] then return end
  redis.call('ZADD', KEYS[4], gone, string.sub(member, -32))
  local last = redis.call('ZREVRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  redis.call('PEXPIREAT', KEYS[4], text(tonumber(last[2])))
end
