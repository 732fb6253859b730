"""Exact duplicates by polars: the normal form of duckdb_exact as an expression, and the first row of each."""

from pathlib import Path

import polars as pl

from benchmarks.curate.peers.task import Removed, run


def work(shards: list[Path]):
    form = (
        pl.col("query").str.normalize("NFC").str.to_lowercase()
        .str.replace_all(r"[^\p{L}\p{M}\p{N}\p{Sm}*/^-]+", " ").str.strip_chars().hash()
    )  # fmt: skip
    rows = pl.scan_parquet(shards).select("row_id", form=form)
    found = (
        rows.with_columns(first=pl.col("row_id").min().over("form"))
        .filter(pl.col("row_id") != pl.col("first"))
        .select("row_id", "first")
        .collect()
    )

    def removals() -> Removed:
        return found.rows()

    return removals


if __name__ == "__main__":
    run(work)
