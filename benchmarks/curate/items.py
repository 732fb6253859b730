"""The questions of evaluation sets that n-grams are looked up in, as a table of amt.rows.QUERY."""

from pathlib import Path

from amt.rows import QUERY, canonical_json, row_id, write_rows
from benchmarks.curate.generated import SIZE, generated_problem
from benchmarks.curate.real import Problem, real_problems

EVALUATION_SETS = ("gsm8k_test", "math500", "aime24", "aime25", "humaneval")
GENERATED = 1_500


def write_items(path: Path, data: Path | None) -> None:
    """The real ones of `data`, or generated problems of which no corpus has any."""
    if data:
        items = [problem for problem in real_problems(data) if problem.origin in EVALUATION_SETS]
    else:
        last = range(SIZE - GENERATED, SIZE)
        items = [Problem("generated", "math", generated_problem(number, seed=0)) for number in last]
    rows = {row_id(item.origin, item.text): _row(item) for item in items}
    write_rows(path, [values | {"row_id": name} for name, values in rows.items()], QUERY)


def _row(item: Problem) -> dict[str, str]:
    messages = canonical_json([{"role": "user", "content": item.text}])
    return {"source": item.origin, "category": item.category, "query": item.text, "messages": messages}
