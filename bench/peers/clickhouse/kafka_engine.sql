-- ClickHouse's own Kafka engine, as one would set it up for this job: a table that reads each topic, a view that counts what it reads,
-- and the counts, which merge by adding. Values in braces are filled in by kafka_engine.py. RawBLOB with JSONExtract costs a third of
-- JSONEachRow here: that one makes a parser for every message.
CREATE TABLE counts (product_id LowCardinality(String), window_start DateTime64(3), impressions UInt64, clicks UInt64)
ENGINE = SummingMergeTree ORDER BY (window_start, product_id);

CREATE TABLE impressions (event String) ENGINE = Kafka
SETTINGS kafka_broker_list = '{brokers}', kafka_topic_list = '{impression_topic}', kafka_group_name = '{group}-impressions',
         kafka_format = 'RawBLOB', kafka_num_consumers = {parallelism}, kafka_thread_per_consumer = 1;

CREATE TABLE clicks (event String) ENGINE = Kafka
SETTINGS kafka_broker_list = '{brokers}', kafka_topic_list = '{click_topic}', kafka_group_name = '{group}-clicks',
         kafka_format = 'RawBLOB', kafka_num_consumers = {parallelism}, kafka_thread_per_consumer = 1;

CREATE MATERIALIZED VIEW count_impressions TO counts AS
SELECT JSONExtractString(event, 'product_id') AS product_id,
       toDateTime64(intDiv(JSONExtractInt(event, 'timestamp'), 10000) * 10, 3) AS window_start, count() AS impressions, 0 AS clicks
FROM impressions GROUP BY product_id, window_start;

CREATE MATERIALIZED VIEW count_clicks TO counts AS
SELECT JSONExtractString(event, 'product_id') AS product_id,
       toDateTime64(intDiv(JSONExtractInt(event, 'timestamp'), 10000) * 10, 3) AS window_start, 0 AS impressions, count() AS clicks
FROM clicks GROUP BY product_id, window_start;
