"""Exact duplicates by DuckDB: a normal form in SQL (letters, digits and signs of every script) and a hash of it."""

from pathlib import Path

import duckdb

from benchmarks.curate.peers.task import Removed, run


def work(shards: list[Path]):
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    found = connection.execute(
        r"""
        WITH forms AS (
            SELECT row_id, md5(trim(regexp_replace(
                lower(nfc_normalize(query)), '[^\p{L}\p{M}\p{N}\p{Sm}*/^-]+', ' ', 'g'
            ))) AS form FROM read_parquet($shards)
        ), firsts AS (SELECT form, min(row_id) AS first FROM forms GROUP BY form HAVING count(*) > 1)
        SELECT row_id, first FROM forms JOIN firsts USING (form) WHERE row_id <> first
        """,
        {"shards": [str(shard) for shard in shards]},
    ).fetchall()

    def removals() -> Removed:
        return found

    return removals


if __name__ == "__main__":
    run(work)
