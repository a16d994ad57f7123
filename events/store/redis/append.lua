-- Appends the records of several requests, once. ARGV: the node, the sequence
-- number of this call, and of the one before; "1" if the node is alone; the
-- number of classes; for each, how many records it keeps, the epoch and last
-- offset that the node knows, and an epoch for the case that one must begin;
-- then for each request the number of its records, and for each record the
-- class (negative: the publisher gave the id), id, channel, time and data. The
-- last key is that of the feed.
--
-- The first write may be refused for lack of memory; what follows it cannot be,
-- so that everything happens or nothing.
local me, alone = ARGV[1], ARGV[4]
local slot = me .. ':' .. text(math.fmod(tonumber(ARGV[2]), 16))
local w = redis.call('HMGET', KEYS[1], 'seq:' .. me, 'generation', 'run', 'nodes', 'feed', 'size', slot)
if not w[1] then return {'gone', ''} end
local head = ARGV[2] .. '\n'
if w[7] and string.sub(w[7], 1, #head) == head then return {'ok', string.sub(w[7], #head + 1)} end
if w[1] ~= ARGV[3] then return {'step', w[1]} end

local next = 5
local function arg()
  next = next + 1
  return ARGV[next - 1]
end

if (tonumber(w[4]) or 0) > 1 then alone = '0' end -- it has not heard of the other one yet
local asked, unknown = {}, alone ~= '1'
for i = 1, tonumber(arg()) do
  asked[i] = {tonumber(arg()), arg(), tonumber(arg()), arg()}
  unknown = unknown or asked[i][2] == ''
end
local generation, run = w[2], w[3] or ''
if unknown and asked[1] then
  if alone ~= '1' and process() == '' then return {'info', ''} end
  generation, run = settle(generation, run, alone, asked[1][4])
end
local logs = {}
for i, a in ipairs(asked) do
  local l = open(4 * i - 2, generation, run, a[2], a[3], alone, a[4])
  l.key, l.keep = 4 * i - 2, a[1]
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

-- tell puts what is appended into the feed, if there is another node.
local tell, told
if (tonumber(w[4]) or 0) > 1 then
  local n, size, bytes, entry = tonumber(w[5]) or 0, tonumber(w[6]) or 0, 0, {}
  told = function()
    if #entry > 0 then
      n = n + 1
      redis.call('XADD', KEYS[#KEYS], text(n) .. '-0', 'n', me, 'k', 'e', unpack(entry))
      size, bytes, entry = size + bytes, 0, {}
      redis.call('HSET', KEYS[1], 'feed', text(n), 'size', text(size))
    end
    if size > FEEDBYTES then
      turn(KEYS[#KEYS], n)
      size = 0
    end
  end
  tell = function(l, offset, id, channel, data)
    local big = #data > 16384
    entry[#entry + 1] = string.match(KEYS[l.key], '^{[^}]*}:%d+:meta:(.*)$')
    entry[#entry + 1] = table.concat({l.epoch, text(l.base), offset, text(l.time), big and 'big' or 'all', id}, ' ')
    entry[#entry + 1] = channel
    entry[#entry + 1] = big and '' or data
    bytes = bytes + 100 + #id + #channel + #entry[#entry]
    if #entry >= 512 or bytes >= 65536 then told() end
  end
end

-- What is looked up or made for each record is kept at hand: numbers that come
-- as texts, and the end of the ID, which is the same for all of a millisecond.
-- Formatting and parsing them would cost as much as XADD.
local ARGV, call, numbers, stamps = ARGV, redis.call, {}, {}

-- number returns the number in an argument.
local function number(s)
  local n = numbers[s]
  if not n then
    n = tonumber(s)
    numbers[s] = n
  end
  return n
end

-- conflict returns which of the n records of a request, from ARGV[from] on, has
-- the id of another one and other data; nil if none has.
local function conflict(from, n)
  local seen = nil
  for i = 1, n do
    local a = from + 5 * (i - 1)
    local class = number(ARGV[a])
    if class < 0 then
      local id, data = ARGV[a + 1], ARGV[a + 4]
      local key = -class .. ' ' .. id
      local at, _, before = find(logs[-class], id)
      seen = seen or {}
      if not at then before = seen[key] end
      if before and before ~= data then return i end
      seen[key] = data
    end
  end
end

-- append appends the record at ARGV[a] to its log, unless it is there, and
-- returns what the answer says of it.
local function append(a)
  local class, id, channel, ms, data = number(ARGV[a]), ARGV[a + 1], ARGV[a + 2], number(ARGV[a + 3]), ARGV[a + 4]
  local l, mark = logs[class], 'm'
  if class < 0 then
    l, mark = logs[-class], 'g'
    local at, when = find(l, id)
    if at then return 'd' .. text(at) .. ':' .. text(when) end
  end
  if ms > l.time then l.time = ms end
  l.last, l.changed = l.last + 1, true
  local stamp = stamps[l.time]
  if not stamp then
    stamp = '-' .. text(l.time)
    stamps[l.time] = stamp
  end
  local offset, marked = text(l.last), mark .. id
  if tell then tell(l, offset, marked, channel, data) end
  call('XADD', KEYS[l.key + 1], offset .. stamp, 'i', marked, 'c', channel, 'd', data)
  if class < 0 then call('HSET', KEYS[l.key + 2], id, offset) end
  if channel ~= '' then call('ZADD', KEYS[l.key + 3], 0, member(channel, l.last)) end
  return l.time == ms and offset or offset .. ':' .. text(l.time)
end

local out = {}
while next <= #ARGV do
  local n, from = number(arg()), next
  next = next + 5 * n
  -- Nothing is written before it is known that no record is in conflict.
  local at = conflict(from, n)
  if at then
    out[#out + 1] = '!' .. at
  elseif n == 1 then
    out[#out + 1] = append(from)
  else
    local results = {}
    for i = 1, n do results[i] = append(from + 5 * (i - 1)) end
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
if told then told() end
table.insert(out, 1, table.concat(heads, ' '))
local reply = table.concat(out, '\n')
redis.call('HSET', KEYS[1], 'seq:' .. me, ARGV[2], slot, head .. reply)
return {'ok', reply}
