-- The columns are those of the output's schema.
SELECT
    sensor,
    count(*) AS readings,
    avg(reading) AS average,
    max(observed_at) AS latest
FROM readings
GROUP BY sensor
