-- Makes a gateway the writer, from the sequence number on that it gives.
-- ARGV: writer, sequence, generation for the case that one must begin, "1" to
-- take over from another gateway, the gateway from which this one took over.
-- Returns who was the writer. If that is the last of these, Redis has lost that
-- this one took over.
local was = redis.call('HMGET', KEYS[1], 'writer', 'generation', 'run', 'format')
local writer, generation, run, format = was[1], was[2], was[3], was[4]
if format and format ~= FORMAT then return {'format', format} end
if writer and writer ~= ARGV[1] and writer ~= ARGV[5] and ARGV[4] ~= '1' then return {'writer', writer} end
local info = redis.pcall('INFO', 'server')
local now = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
-- A gateway that still runs knows how far the logs went. One that comes anew
-- knows it only if Redis is the same process as before: another one may have
-- lost what was written last, and whoever wrote it with that.
if not generation or writer ~= ARGV[1] and (now == '' or now ~= run) then
  generation, run = ARGV[3], now
elseif now ~= run then
  run = '' -- this gateway finds what another process lost; the next one could not
end
redis.call('HSET', KEYS[1], 'format', FORMAT, 'writer', ARGV[1], 'seq', ARGV[2],
  'generation', generation, 'run', run)
if writer ~= ARGV[1] then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.match(field, '^%d+$') then redis.call('HDEL', KEYS[1], field) end
  end
end
return {'ok', writer or ''}
