-- The usual case of append.lua, whose arguments and reply it has: every record is
-- of a log that is as the node knows it, has an id that was made and no channel,
-- nothing is due to be trimmed, and what goes into the feed fits in one entry. It
-- comes before the functions that the other cases need, as making those takes as
-- long as appending ten records. Nothing is written before it is known that the
-- case is this one; any other goes on below.
do
  local ARGV, KEYS, call, format = ARGV, KEYS, redis.call, string.format
  local me, classes = ARGV[1], tonumber(ARGV[5])
  local next = 6 + 4 * classes
  local count, plain = tonumber(ARGV[next]), FORMATINT == '%d'
  for i = 1, count do plain = plain and ARGV[next + 3 * i - 1] == '' end

  local w = plain and call('HMGET', KEYS[1], 'seq:' .. me, 'generation', 'run', 'nodes', 'feed', 'size')
  plain = plain and w[1] == ARGV[3] and w[2]
  local others = plain and (tonumber(w[4]) or 0) > 1
  if plain and (others or ARGV[4] ~= '1') then -- Redis must be the process that it was
    local info = w[3] and w[3] ~= '' and redis.pcall('INFO', 'replication')
    plain = type(info) == 'string' and string.find(info, 'master_replid:' .. w[3], 1, true)
  end

  local first, all, logs = next + 1 + 3 * count, #ARGV, {}
  local most = math.floor((all - first + 1) / 3) -- records of a class
  for i = 1, classes do
    if not plain then break end
    local a, k = 4 * i + 2, 4 * i - 2
    local m = call('HMGET', KEYS[k], 'epoch', 'last', 'first', 'time', 'base', 'generation')
    local last, begin, keep = tonumber(m[2]), tonumber(m[3]), tonumber(ARGV[a])
    plain = m[1] and m[1] == ARGV[a + 1] and m[6] == w[2] and last >= tonumber(ARGV[a + 2])
      and (keep == 0 or last + 1 + most - begin <= keep + math.min(math.floor(keep / 8), 1024))
    logs[i] = {
      meta = KEYS[k], key = KEYS[k + 1], epoch = m[1], last = last, before = m[2],
      first = m[3], time = tonumber(m[4]), begin = m[4], base = m[5],
    }
  end
  if plain and others then
    local bytes = 0 -- at least as many as the entry will count as
    for i = first, all do
      bytes = bytes + 100 + #ARGV[i]
      plain = plain and #ARGV[i] <= BIG
    end
    plain = plain and 4 * most <= ENTRYFIELDS and bytes < ENTRYBYTES and (tonumber(w[6]) or 0) + bytes <= FEEDBYTES
  end

  if plain then
    local kinds, size, entry = {}, tonumber(w[6]) or 0, others and {}
    for i = 1, count do
      local a = next + 3 * i - 2
      kinds[format('%d', i)] = {log = logs[tonumber(ARGV[a])], time = tonumber(ARGV[a + 2])}
    end
    local at = first
    while at <= all do
      local kind = kinds[ARGV[at]]
      if not kind then
        at = at + 1 -- a request that has not one record
      else
        local l = kind.log
        if kind.time > l.time or not l.id then
          l.time = math.max(l.time, kind.time)
          l.ms = format('%d', l.time)
          l.id = '%d-' .. l.ms
        end
        local last, id, data = l.last + 1, ARGV[at + 1], ARGV[at + 2]
        l.last = last
        call('XADD', l.key, format(l.id, last), 'i', id, 'c', '', 'd', data)
        if entry then
          local e = #entry
          l.name = l.name or string.match(l.meta, '^{[^}]*}:%d+:meta:(.*)$')
          entry[e + 1], entry[e + 2] = l.name, l.epoch .. ' ' .. l.base .. ' ' .. format('%d', last) .. ' ' .. l.ms .. ' all ' .. id
          entry[e + 3], entry[e + 4] = '', data
          size = size + 100 + #id + #data
        end
        at = at + 3
      end
    end
    local heads = {}
    for i, l in ipairs(logs) do
      local last = format('%d', l.last)
      if l.id then call('HSET', l.meta, 'last', last, 'time', l.ms, 'first', l.first) end
      heads[i] = l.epoch .. ':' .. l.base .. ':' .. l.before .. ':' .. last .. ':' .. l.begin
    end
    local reply = table.concat(heads, ' ')
    local slot = me .. ':' .. format('%d', math.fmod(tonumber(ARGV[2]), 16))
    if entry then
      local n = tonumber(w[5]) or 0
      if #entry > 0 then
        n = n + 1
        call('XADD', KEYS[#KEYS], format('%d', n) .. '-0', 'n', me, 'k', 'e', unpack(entry))
      end
      call('HSET', KEYS[1], 'seq:' .. me, ARGV[2], slot, ARGV[2] .. '\n' .. reply, 'feed', format('%d', n), 'size', format('%d', size))
    else
      call('HSET', KEYS[1], 'seq:' .. me, ARGV[2], slot, ARGV[2] .. '\n' .. reply)
    end
    return {'ok', reply}
  end
end
