-- How long the states of windows stay, in days of event time: HISTORY_TTL_DAYS, 1 to 13000. See 0011_raw_ttl.sql.
ALTER TABLE ctr_window_history
    MODIFY TTL toDateTime(least(window_end, toDateTime64('2070-01-01 00:00:00', 3, 'UTC')), 'UTC') + toIntervalDay({history_ttl_days:UInt16})
