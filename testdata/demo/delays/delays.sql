-- One row an airport. The columns are those of the output's schema.
SELECT
    f.origin AS iata,
    a.city,
    a.state,
    count(*) AS flights,
    count(*) FILTER (WHERE f.delay > 15) AS late,
    round(100.0 * late / flights, 1) AS late_share,
    round(avg(f.delay), 1) AS mean_delay,
    max(f.date) AS latest
FROM flights f
LEFT JOIN airports a ON a.iata = f.origin
GROUP BY ALL
