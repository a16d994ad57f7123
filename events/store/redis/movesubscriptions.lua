-- Moves persistent subscriptions on. KEYS: the writer's, the index by expiry,
-- then subscriptions. ARGV: how many spans one may have; for each subscription
-- its member in the index, the epoch in which it was, epoch, offset and spans
-- ("from-through", with spaces between), the times when it was seen and expires.
--
-- The first write of a subscription may be refused for lack of memory; what
-- follows it cannot be.
local most = tonumber(ARGV[1])

-- settle joins spans, takes those that begin at the offset into it, and returns
-- the offset and what is left.
local function settle(offset, texts)
  local spans = {}
  for from, through in string.gmatch(texts, '(%d+)%-(%d+)') do
    spans[#spans + 1] = {tonumber(from), tonumber(through)}
  end
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  local left = {}
  for _, a in ipairs(spans) do
    local last = left[#left]
    if a[2] <= offset or a[2] < a[1] then
      -- it says nothing new, or nothing
    elseif a[1] <= offset + 1 then -- only as long as nothing is left, as they are in order
      offset = a[2]
    elseif last and a[1] <= last[2] + 1 then
      last[2] = math.max(last[2], a[2])
    elseif #left < most then
      left[#left + 1] = a
    end
  end
  for i, a in ipairs(left) do left[i] = text(a[1]) .. '-' .. text(a[2]) end
  return text(offset), table.concat(left, ' ')
end

for i = 3, #KEYS do
  local member, was, epoch, offset, acked, seen, expires = unpack(ARGV, 7 * i - 19, 7 * i - 13)
  local sub = redis.call('HMGET', KEYS[i], 'epoch', 'offset', 'acked', 'seen', 'expires')
  local to = {}
  local function set(field, value, before)
    if value ~= before then
      to[#to + 1] = field
      to[#to + 1] = value
    end
  end
  if sub[1] == epoch then
    offset = text(math.max(tonumber(offset), tonumber(sub[2])))
    if offset ~= sub[2] or acked ~= '' then
      offset, acked = settle(tonumber(offset), sub[3] .. ' ' .. acked)
      set('offset', offset, sub[2])
      set('acked', acked, sub[3])
    end
  elseif sub[1] and sub[1] == was then
    offset, acked = settle(tonumber(offset), acked)
    set('epoch', epoch)
    set('offset', offset)
    set('acked', acked)
  end
  if sub[1] then
    if tonumber(seen) > tonumber(sub[4]) then set('seen', seen) end
    local later = tonumber(expires) > tonumber(sub[5])
    if later then set('expires', expires) end
    if #to > 0 then redis.call('HSET', KEYS[i], unpack(to)) end
    if later then redis.call('ZADD', KEYS[2], expires, member) end
  end
end
return 1
