"""Write the sample rows of every source and the list of what is planted in them.

Needed only after amt/standins or an adapter has changed; the files are part of the project.
"""

import argparse
import json
from pathlib import Path


def main(directory: Path) -> None:
    from amt.publish import publish_file
    from amt.sources.catalogue import dataset
    from amt.sources.collect import LeftOutRow, unify
    from amt.standins.planting import sample_rows
    from amt.standins.published import as_line

    rows, planted = sample_rows()
    row_ids = {}
    for source, published in rows.items():
        with publish_file(directory / f"{source}.jsonl") as temporary:
            temporary.write_text("".join(map(as_line, published)), encoding="utf-8")
        rows_of_source = unify(dataset(source), published)
        row_ids[source] = [None if isinstance(row, LeftOutRow) else row["row_id"] for row in rows_of_source]
    for entries in planted.values():
        for entry in entries:
            entry["row_id"] = row_ids[entry["source"]][entry["index"]]
            original = entry.pop("same_as_source", None), entry.pop("same_as_index", None)
            if original[0]:
                entry["same_as"] = row_ids[original[0]][original[1]]
    with publish_file(directory / "planted.json") as temporary:
        temporary.write_text(json.dumps(planted, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{sum(map(len, rows.values()))} rows of {len(rows)} sources, planted: " + ", ".join(
        f"{kind} {len(entries)}" for kind, entries in planted.items()))  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m scripts.generate_samples", description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path("amt/sources/samples"), help="where the files go")
    main(parser.parse_args().directory)
