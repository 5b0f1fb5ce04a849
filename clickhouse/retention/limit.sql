-- Sets the retention of a table in days of event time (1 to 13000). Setting the same number again has no effect.
-- A TTL is a DateTime, which ends in 2106: later windows are treated as those of 2070, so that theirs does not wrap around.
ALTER TABLE {table:Identifier}
    MODIFY TTL toDateTime(least(window_end, toDateTime64('2070-01-01 00:00:00', 3, 'UTC')), 'UTC') + toIntervalDay({days:UInt16})
