-- Cuts flights.parquet out of flights-3m.parquet, the first 250,000 flights by time:
--   duckdb < cut.sql
-- The order is total, so that a second cut is the first one again.
COPY (
    SELECT *
    FROM 'flights-3m.parquet'
    ORDER BY date, origin, destination, distance, delay
    LIMIT 250_000
) TO 'flights.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19);
