-- Reads a page. ARGV: after, through, limit, bytes, channel.
local l = load(KEYS[2])
if not l then return {'none'} end
if l.generation ~= redis.call('HGET', KEYS[1], 'generation') then return {'stale'} end
local after, through = tonumber(ARGV[1]), tonumber(ARGV[2])
local limit, bytes, channel = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local last = math.min(through, l.last)
local done = math.max(after, channel == '' and last or math.min(through, l.last))
local out = {'ok', l.epoch, text(l.first), text(l.last), text(l.base), l.line, ''}

-- add adds an entry to the page, and reports whether it had room for it.
local n, size = 0, 0
local function add(e)
  if n == limit or size >= bytes then return false end
  local at, ms = of(e[1])
  local id = e[2][2]
  out[#out + 1] = {text(at), text(ms), id, e[2][4], e[2][6]}
  n, size, after = n + 1, size + #e[2][6], at
  return true
end

local function all()
  local at = math.max(after + 1, l.first)
  while at <= last do
    local some = redis.call('XRANGE', KEYS[3], text(at) .. '-0', text(last) .. '-' .. MAX, 'COUNT', math.min(16, limit - n + 1))
    if #some == 0 then return false, at end
    for _, e in ipairs(some) do
      if of(e[1]) ~= at then return false, at end
      if not add(e) then return true end
      at = at + 1
    end
  end
  after = done
  return true
end

local function one()
  local offsets = redis.call('ZRANGEBYLEX', KEYS[5], '(' .. member(channel, after), '[' .. member(channel, last), 'LIMIT', 0, limit + 1)
  for _, m in ipairs(offsets) do
    local at = tonumber(string.sub(m, #channel + 2))
    local e = entry(KEYS[3], at)
    if not e then return false, at end
    if not add(e) then return true end
  end
  after = done
  return true
end

local whole, missing
if channel == '' then whole, missing = all() else whole, missing = one() end
if not whole then return {'missing', text(missing)} end
out[7] = text(after)
return out
