"""What every peer is given and says: shards, a file for its removals, and seconds."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Removed = list[tuple[str, str]]


def run(work: Callable[[list[Path]], Callable[[], Removed]]) -> None:
    """Time `work(shards)`; what it returns gives the (row, the row that stays) pairs, which are not timed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--removed", type=Path, required=True, help="Parquet file of the removals")
    parser.add_argument("shards", type=Path, nargs="+")
    args = parser.parse_args()
    started = time.perf_counter()
    removals = work(args.shards)
    seconds = time.perf_counter() - started
    pairs = removals()
    table = pa.table(
        {"row_id": [row for row, _ in pairs], "same_as": [stays for _, stays in pairs]},
        schema=pa.schema([("row_id", pa.string()), ("same_as", pa.string())]),
    )
    pq.write_table(table, args.removed)
    print(json.dumps({"seconds": seconds, "removed": len(pairs)}))


def read(shard: Path) -> tuple[list[str], list[str]]:
    """(row_ids, texts) of a shard."""
    table = pq.read_table(shard, columns=["row_id", "query"])
    return table["row_id"].to_pylist(), table["query"].to_pylist()
