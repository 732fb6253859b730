"""Near duplicates by datatrove as it comes: its four MinHash steps with their defaults, two tasks side by side."""

import os
import shutil
import struct
import tempfile
from pathlib import Path

os.environ["DATATROVE_COLORIZE_LOGS"] = "0"

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter

from benchmarks.curate.peers.task import Removed, read, run

TASKS = 2


def work(shards: list[Path]):
    (folder,) = {shard.parent for shard in shards}
    made = Path(tempfile.mkdtemp(prefix="datatrove-"))
    config = MinhashConfig()
    reader = ParquetReader(str(folder), text_key="query", id_key="row_id", read_metadata=False)
    steps = [
        ([reader, MinhashDedupSignature(str(made / "signatures"), config)], TASKS),
        ([MinhashDedupBuckets(str(made / "signatures"), str(made / "pairs"), config=config)], config.num_buckets),
        ([MinhashDedupCluster(str(made / "pairs"), str(made / "clusters"), config, save_cluster_id=True)], 1),
        ([reader, MinhashDedupFilter(str(made / "clusters")), ParquetWriter(str(made / "kept"))], TASKS),
    ]
    for number, (pipeline, tasks) in enumerate(steps):
        logs = str(made / "logs" / str(number))
        # Forked workers need no import of their own, which would count as work.
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=min(tasks, TASKS), logging_dir=logs, start_method="fork"
        ).run()

    def removals() -> Removed:
        try:
            return _removed(made / "clusters", [sorted(shards)[task::TASKS] for task in range(TASKS)])
        finally:
            shutil.rmtree(made)

    return removals


def _removed(clusters: Path, shards_of_task: list[list[Path]]) -> Removed:
    """The rows of each cluster but the one that stays, from the files of the third step."""
    gone, stays = [], {}
    for task, shards in enumerate(shards_of_task):
        row_ids = [row_id for shard in shards for row_id in read(shard)[0]]
        removed = {place for (place,) in struct.iter_unpack("<I", _bytes(clusters / f"{task:06d}.remove"))}
        for place, cluster in struct.iter_unpack("<II", _bytes(clusters / f"{task:06d}.clusters")):
            if place in removed:
                gone.append((row_ids[place], cluster))
            else:
                stays[cluster] = row_ids[place]
    return [(row_id, stays[cluster]) for row_id, cluster in gone]


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


if __name__ == "__main__":
    run(work)
