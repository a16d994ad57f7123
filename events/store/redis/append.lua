-- Appends the records of several requests, once. ARGV: the node, the sequence
-- number of this call, and of the one before; "1" if the node is alone; the
-- number of classes; for each, how many records it keeps, the epoch and last
-- offset that the node knows, and an epoch for the case that one must begin; the
-- number of kinds of records; for each, its class, its flags ("g": the publisher
-- gives the id; "c": a channel follows it) and the time. Then the requests: "*"
-- and the number of records if that is not one; for each record its kind, its id
-- after "g" or "m", its channel if it has one, and its data. The last key is that
-- of the feed.
--
-- The reply has a line with, for each class, the epoch, the base, the last offset
-- before the call and after it, and the time before it; whoever sent the call
-- knows from that what became of each record, except where a further line says
-- otherwise: the number of the request, and "!" and the record that is in
-- conflict; or the number of the record, and the offset and time of the one that
-- had its id before.
--
-- The first write may be refused for lack of memory; what follows it cannot be,
-- so that everything happens or nothing.
local ARGV, KEYS, call, format = ARGV, KEYS, redis.call, string.format
local me, alone = ARGV[1], ARGV[4]
local w = call('HMGET', KEYS[1], 'seq:' .. me, 'generation', 'run', 'nodes', 'feed', 'size')
if not w[1] then return {'gone', ''} end
local slot, head = me .. ':' .. text(math.fmod(tonumber(ARGV[2]), 16)), ARGV[2] .. '\n'
if w[1] ~= ARGV[3] then
  local before = call('HGET', KEYS[1], slot)
  if before and string.sub(before, 1, #head) == head then return {'ok', string.sub(before, #head + 1)} end
  return {'step', w[1]}
end

local others = (tonumber(w[4]) or 0) > 1
if others then alone = '0' end -- it has not heard of the other one yet
local classes, unknown = tonumber(ARGV[5]), alone ~= '1'
for i = 1, classes do unknown = unknown or ARGV[4 * i + 3] == '' end
local generation, run = w[2], w[3] or ''
if unknown and classes > 0 then
  if alone ~= '1' and process() == '' then return {'info', ''} end
  generation, run = settle(generation, run, alone, ARGV[9])
end
local logs = {}
for i = 1, classes do
  local a, k = 4 * i + 2, 4 * i - 2
  local l = open(k, generation, run, ARGV[a + 1], tonumber(ARGV[a + 2]), alone, ARGV[a + 3])
  l.key, l.keep, l.before, l.begin = k, tonumber(ARGV[a]), l.last, l.time
  logs[i] = l
end

-- The kinds, by the texts that stand for them.
local next = 6 + 4 * classes
local kinds = {}
for i = 1, tonumber(ARGV[next]) do
  local a = next + 3 * i - 2
  local flags = ARGV[a + 1]
  kinds[text(i)] = {
    log = logs[tonumber(ARGV[a])], time = tonumber(ARGV[a + 2]),
    given = string.find(flags, 'g', 1, true), channel = string.find(flags, 'c', 1, true),
  }
end
next = next + 1 + 3 * tonumber(ARGV[next])

-- find returns the offset and the time of the record with an id, and its data.
local function find(l, id)
  local at = call('HGET', KEYS[l.key + 2], id)
  if not at then return nil end
  local e = entry(KEYS[l.key + 1], tonumber(at))
  if not e then return nil end
  local _, ms = of(e[1])
  return tonumber(at), ms, e[2][6]
end

-- tell puts what is appended into the feed, if there is another node.
local tell, told, n, size
if others then
  local bytes, entry = 0, {}
  n, size = tonumber(w[5]) or 0, tonumber(w[6]) or 0
  told = function()
    if #entry > 0 then
      n = n + 1
      call('XADD', KEYS[#KEYS], text(n) .. '-0', 'n', me, 'k', 'e', unpack(entry))
      size, bytes, entry = size + bytes, 0, {}
    end
    if size > FEEDBYTES then
      turn(KEYS[#KEYS], n)
      size = 0
    end
  end
  tell = function(l, id, channel, data)
    local at, big = #entry, #data > BIG
    if not l.name then
      l.name, l.head = string.match(KEYS[l.key], '^{[^}]*}:%d+:meta:(.*)$'), l.epoch .. ' ' .. text(l.base) .. ' '
    end
    if big then data = '' end
    entry[at + 1], entry[at + 2] = l.name, l.head .. text(l.last) .. ' ' .. l.ms .. (big and ' big ' or ' all ') .. id
    entry[at + 3], entry[at + 4] = channel, data
    bytes = bytes + 100 + #id + #channel + #data
    if at >= ENTRYFIELDS or bytes >= ENTRYBYTES then told() end
  end
end

-- append appends a record to the log of its kind. The ID of an entry has the
-- offset and the time; all of it but the offset is made once for each time, as
-- formatting numbers costs as much as XADD.
local function append(kind, id, channel, data)
  local l = kind.log
  local key = l.key
  if kind.time > l.time or not l.ms then
    l.time = math.max(l.time, kind.time)
    l.ms = text(l.time)
    l.id = FORMATINT .. '-' .. l.ms
  end
  local last = l.last + 1
  l.last = last
  if tell then tell(l, id, channel, data) end
  call('XADD', KEYS[key + 1], format(l.id, last), 'i', id, 'c', channel, 'd', data)
  if kind.given then call('HSET', KEYS[key + 2], string.sub(id, 2), text(last)) end
  if channel ~= '' then call('ZADD', KEYS[key + 3], 0, member(channel, last)) end
end

-- several carries out a request that has not one record, of which the first is at
-- ARGV[a]; it returns where the next request is. Nothing of it is written before
-- it is known that no record is in conflict.
local out = {}
local function several(request, n, a)
  local begin, seen, clash = a, {}, nil
  for i = 1, n do
    local kind = kinds[ARGV[a]]
    local d = kind.channel and a + 3 or a + 2
    if kind.given and not clash then
      local id = string.sub(ARGV[a + 1], 2)
      local key = kind.log.key .. ' ' .. id
      local at, _, before = find(kind.log, id)
      if not at then before = seen[key] end
      if before and before ~= ARGV[d] then clash = i end
      seen[key] = ARGV[d]
    end
    a = d + 1
  end
  if clash then
    out[#out + 1] = request .. ' !' .. clash
    return a
  end
  a = begin
  for i = 1, n do
    local kind, id = kinds[ARGV[a]], ARGV[a + 1]
    local at, when
    if kind.given then at, when = find(kind.log, string.sub(id, 2)) end
    local d = kind.channel and a + 3 or a + 2
    if at then
      out[#out + 1] = request .. ' ' .. i .. ' ' .. text(at) .. ' ' .. text(when)
    else
      append(kind, id, kind.channel and ARGV[a + 2] or '', ARGV[d])
    end
    a = d + 1
  end
  return a
end

local request, all = 0, #ARGV
while next <= all do
  local kind = kinds[ARGV[next]]
  request = request + 1
  if not kind then
    next = several(request, tonumber(string.sub(ARGV[next], 2)), next + 1)
  elseif kind.given then
    next = several(request, 1, next)
  elseif kind.channel then
    append(kind, ARGV[next + 1], ARGV[next + 2], ARGV[next + 3])
    next = next + 4
  else
    append(kind, ARGV[next + 1], '', ARGV[next + 2])
    next = next + 3
  end
end

local heads = {}
for i, l in ipairs(logs) do
  local held, first = l.last + 1 - l.first, l.first
  if l.keep > 0 and held > l.keep + math.min(math.floor(l.keep / 8), 1024) then
    trim(l.key, l, l.last + 1 - l.keep)
  end
  if l.changed then
    save(KEYS[l.key], l)
  elseif l.last ~= l.before or l.first ~= first then
    call('HSET', KEYS[l.key], 'last', text(l.last), 'time', text(l.time), 'first', text(l.first))
  end
  heads[i] = l.epoch .. ':' .. text(l.base) .. ':' .. text(l.before) .. ':' .. text(l.last) .. ':' .. text(l.begin)
end
table.insert(out, 1, table.concat(heads, ' '))
local reply = table.concat(out, '\n')
if told then
  told()
  call('HSET', KEYS[1], 'seq:' .. me, ARGV[2], slot, head .. reply, 'feed', text(n), 'size', text(size))
else
  call('HSET', KEYS[1], 'seq:' .. me, ARGV[2], slot, head .. reply)
end
return {'ok', reply}
