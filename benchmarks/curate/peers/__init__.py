"""Other tools on the same rows. Each module runs alone, in the environment of the peers, and imports nothing of amt.

    python -m benchmarks.curate.peers              make or update that environment, .venv-peers
    python -m benchmarks.curate.peers.rensa_near --removed FILE SHARD...

Every module prints one JSON object last: `seconds` of work, without import and start, and writes the rows that it
removes, and for which row, to a Parquet file.
"""
