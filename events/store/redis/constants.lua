-- What all scripts have first.

local MAX = '18446744073709551615'
local FEEDBYTES = 33554432 -- after which the older half of the feed goes

-- An entry of the feed has no more fields and, by what it counts as, bytes; data
-- that is larger than BIG does not go into it.
local ENTRYFIELDS, ENTRYBYTES, BIG = 508, 65536, 16384

-- Integers are formatted many times as fast as what may have a fraction, but
-- only where a C long has 64 bits.
local FORMATINT = string.format('%d', 1099511627776) == '1099511627776' and '%d' or '%.0f'
