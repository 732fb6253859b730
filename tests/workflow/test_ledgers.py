"""Of which build the ledgers are that `amt trace` and `amt funnel` read."""

from tests.flow.conftest import write
from tests.workflow.conftest import make_small


def _kept(stage: str, *names: str) -> list[tuple]:
    return [(stage, name, "kept", None, None) for name in names]


def test_ledgers_of_an_earlier_build_are_left_out_and_named(project):
    make_small(project, shards=2)
    for shard, names in ((0, ["metamathqa:1"]), (1, ["metamathqa:2", "metamathqa:3"])):
        write(project.path / f"data/queries/metamathqa/{shard}/ledger.parquet", _kept("queries", *names))
        write(project.path / f"data/curated/unique/{shard}/ledger.parquet", _kept("unique", *names))
    write(project.path / "models/sft/ledger.parquet", _kept("sft", "metamathqa:1/0"))
    assert project.do("amt", "funnel").split("\n")[1:4] == [
        "collect           3     3         0",
        "unique            3     3         0",
        "SFT (responses)   1     1         0",
    ]

    project.write("two.yaml", project.read("params.yaml"))
    make_small(project, shards=1)
    first, *lines = project.do("amt", "funnel").splitlines()
    assert first == (
        "2 ledger(s) left out, which are not of params.yaml: data/curated/unique/1/ledger.parquet, "
        "data/queries/metamathqa/1/ledger.parquet. Of another recipe: --params FILE; of an earlier build: delete them."
    )
    assert [line.split()[:2] for line in lines[1:3]] == [["collect", "1"], ["unique", "1"]]
    assert "error: no ledger knows metamathqa:2. Near it: metamathqa:1" in project.call(
        "amt", "trace", "metamathqa:2"
    ).stdout  # fmt: skip

    assert project.do("amt", "trace", "metamathqa:2", "--params", "two.yaml").splitlines()[:3] == [
        "metamathqa:2",
        "  collect           kept",
        "  unique            kept",
    ]
