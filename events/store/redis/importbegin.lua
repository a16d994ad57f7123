-- Begins an import: no gateway may use the store until it is done. ARGV: the
-- importer, a generation, the mark of an import.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'format', ARGV[3], 'writer', 'import', 'importer', ARGV[1], 'generation', ARGV[2], 'run', '')
return {'ok'}
