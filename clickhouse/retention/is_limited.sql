-- 1 if the rows of a table expire, otherwise 0.
SELECT position(engine_full, ' TTL ') > 0 FROM system.tables WHERE database = currentDatabase() AND name = {table:String}
