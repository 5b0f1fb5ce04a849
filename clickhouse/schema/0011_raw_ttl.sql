-- How long raw rows stay, in days of event time: RAW_TTL_DAYS, 1 to 13000. Running it again with the same number does
-- nothing. A TTL is a DateTime, which ends in 2106: later windows are treated as those of 2070, so that they stay.
ALTER TABLE ctr_results_raw
    MODIFY TTL toDateTime(least(window_end, toDateTime64('2070-01-01 00:00:00', 3, 'UTC')), 'UTC') + toIntervalDay({raw_ttl_days:UInt16})
