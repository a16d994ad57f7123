-- Inserts or replaces a token. KEYS: the writer's, the token, the index by
-- expiry, and that of its user if it has one. ARGV: the token, its member in the
-- index, when Redis removes it by itself (milliseconds since 1970).
puttoken(redis.call('GET', KEYS[2]))
return 1
