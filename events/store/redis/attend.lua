-- What scripts share that work on the nodes. Their keys: the head of the store,
-- the nodes, the feed, a key to find out the time with, the configuration, and which
-- gateways the nodes are.

local LEASE = 4000 -- milliseconds that a node is taken for alive after it was heard
local AWAY = 2000  -- if no node was heard for so long, Redis was away
local MORE = 1500  -- what those get then whose lease ended meanwhile
local LONG = 60000 -- but not if it ended so long ago

-- forget removes what the head has of a node.
local function forget(id)
  local fields = {'seq:' .. id, 'sent:' .. id, 'seen:' .. id}
  for i = 0, 15 do fields[#fields + 1] = id .. ':' .. i end
  redis.call('HDEL', KEYS[1], unpack(fields))
  redis.call('HDEL', KEYS[6], id)
end

-- speaker returns what puts an entry into the feed, and the number of the last.
local function speaker()
  local n = tonumber(redis.call('HGET', KEYS[1], 'feed')) or 0
  return function(...)
    n = n + 1
    redis.call('XADD', KEYS[3], text(n) .. '-0', ...)
    redis.call('HSET', KEYS[1], 'feed', text(n))
  end, function() return n end
end

-- clock returns the time in milliseconds. A user that has no more permissions
-- than the rest needs may not use TIME.
local function clock()
  redis.call('DEL', KEYS[4])
  local id = redis.call('XADD', KEYS[4], '*', 't', '')
  redis.call('DEL', KEYS[4])
  local now = of(id)
  return now
end

-- attend renews the lease of a node, or has it join, and removes those that are
-- gone. It returns nil, and a reply, if this node must not use the store.
local function attend(me, name)
  local format = redis.call('HGET', KEYS[1], 'format')
  if not format then
    redis.call('DEL', KEYS[2], KEYS[3], KEYS[5], KEYS[6]) -- they are of nothing
    redis.call('HSET', KEYS[1], 'format', FORMAT, 'writer', 'nodes')
  elseif format == '1' then
    redis.call('HSET', KEYS[1], 'format', FORMAT, 'writer', 'nodes')
    redis.call('HDEL', KEYS[1], 'seq', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15')
  elseif format ~= FORMAT then
    return nil, {'format', format}
  end
  local now = clock()
  local beat = tonumber(redis.call('HGET', KEYS[1], 'beat')) or now
  local say, last = speaker()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. text(now + LEASE), '+inf')) do
    redis.call('ZADD', KEYS[2], text(now + LEASE), id) -- the clock was set back
  end
  local late = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now), 'WITHSCORES')
  for i = 1, #late, 2 do
    local id, lease = late[i], tonumber(late[i + 1])
    if id ~= me and now - beat > AWAY and lease > now - LONG then
      redis.call('ZADD', KEYS[2], text(now + MORE), id)
    elseif id ~= me then
      redis.call('ZREM', KEYS[2], id)
      forget(id)
      say('n', id, 'k', 'l')
    end
  end
  if redis.call('ZADD', KEYS[2], text(now + LEASE), me) == 1 then say('n', me, 'k', 'j', 'name', name) end
  redis.call('HSET', KEYS[1], 'beat', text(now), 'nodes', redis.call('ZCARD', KEYS[2]))
  return say, last, now
end

-- members returns, for a reply, the epoch and the digest of the configuration, and
-- each node, up to where it has read the feed, and which gateway it is.
local function members(reply)
  local c = redis.call('HMGET', KEYS[5], 'epoch', 'digest')
  reply[#reply + 1] = c[1] or '0'
  reply[#reply + 1] = c[2] or ''
  for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    reply[#reply + 1] = id
    reply[#reply + 1] = redis.call('HGET', KEYS[1], 'seen:' .. id) or '0'
    reply[#reply + 1] = redis.call('HGET', KEYS[6], id) or ''
  end
  return reply
end
