"""Turns readings in Celsius into readings in Fahrenheit.

Batches of records come on stdin and go to stdout, one JSON value a line:

    {"$batch": 1, "input": "readings"}   a batch begins
    {"id": "r-1", ...}                   its records
    {"$end": 1}                          a batch ends; echo this line when you are done with it
"""

import json
import sys


def transform(record):
    """Yields the output's records for one input record; none, one or many."""
    if record.get("reading") is None:
        yield {"$reject": record, "reason": "there is no reading"}
        return
    yield {
        "id": record["id"],
        "sensor": record["sensor"],
        "fahrenheit": record["reading"] * 9 / 5 + 32,
    }


def main():
    for line in sys.stdin:
        record = json.loads(line)
        if "$batch" in record:
            continue
        if "$end" in record:
            print(line.rstrip("\n"), flush=True)
            continue
        for result in transform(record):
            print(json.dumps(result))


if __name__ == "__main__":
    main()
