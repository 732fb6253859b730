"""Rows of a dataset as they were published, from the hub or from files that lie here.

They come in parts: a split of a configuration, or a file. Invariant: memory holds one batch of a part (of Parquet one
row group), and of Parquet no columns but those of `needs` are fetched. A part that lacks a column, or that has other
fields within a column than the adapter knows, is an error that names it.
"""

import codecs
import contextlib
import io
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from amt.errors import SourceError
from amt.rows import in_batches
from amt.sources.dataset import Dataset

Row = dict[str, Any]
Part = tuple[str, Iterator[list[Row]]]
"""(what an error names, batches of rows)"""

_JSON = [kind + packed for packed in ("", ".gz") for kind in (".jsonl", ".ndjson", ".json")]
READERS = {**dict.fromkeys(_JSON, "json"), ".parquet": "parquet", ".csv": "csv", ".tsv": "csv"}
"""Form of a file by its ending in small letters, as `datasets` calls it."""
_CSV_ROWS = 100
"""What `datasets` reads of CSV at once, in place of 10,000: rows may be heavy."""


# --- the hub -----------------------------------------------------------------------------------------------


def hub_parts(described: Dataset, revision: str | None) -> Iterator[Part]:
    """Its files, or the splits of its configurations; of a folder in place of `hub_id` likewise."""
    for file in described.files:
        folder = Path(described.hub_id)
        there = f"hf://datasets/{described.hub_id}@{revision}/{file}"
        yield from _file_parts(described, str(folder / file) if folder.is_dir() else there)
    if not described.files:
        for config in (described.config or "").split("+"):
            for split in described.split.split("+"):
                yield from _split_parts(described, config or None, split, revision)


def _split_parts(described: Dataset, config: str | None, split: str, revision: str | None) -> Iterator[Part]:
    import datasets

    where = f"{described.hub_id} (config {config}, split {split}){f' at {revision}' if revision else ''}"
    with told(described, where):
        builder = datasets.load_dataset_builder(described.hub_id, config, revision=revision)
        files = {str(name): some for name, some in (builder.config.data_files or {}).items()}
    if builder.name == "json" and builder.config.field is None and split in files:
        # `datasets` reads a file that is one array whole.
        yield from ((file, _json_batches(described, file)) for file in files[split])
    else:
        yield where, _streamed(described, builder, split, where)


def _streamed(described: Dataset, builder: Any, split: str, where: str) -> Iterator[list[Row]]:
    with told(described, where):
        stream = builder.as_streaming_dataset(split=split)
        if stream.column_names and hasattr(builder.config, "columns"):
            # Selecting columns of the stream would fetch all of them: the reader has to know.
            check_columns(described, stream.column_names, where)
            builder.config.columns = [name for name in described.needs if name in stream.column_names]
            stream = builder.as_streaming_dataset(split=split)
        yield from in_batches(stream)


# --- files -------------------------------------------------------------------------------------------------


def local_parts(described: Dataset, place: Path) -> Iterator[Part]:
    """The rows of a file, or those of a folder that are the dataset's.

    A folder whose README.md declares `configs`, as a copy of a repository has it, is read as the hub reads it. Of
    others, files are taken that the adapter names, or else those that `_chosen` finds.
    """
    if place.is_file():
        yield from _file_parts(described, str(place))
        return
    card = place / "README.md"
    if not described.files and card.is_file() and re.search(r"^configs:", _front_matter(card), re.MULTILINE):
        yield from hub_parts(replace(described, hub_id=str(place)), None)
        return
    names = sorted(file.relative_to(place) for file in place.rglob("*") if file.is_file())
    names = [name for name in names if _ending(name) in READERS and not _describes(name)]
    if not (chosen := _chosen(described, names)):
        found = f": {', '.join(map(str, names))} belong to other parts of it" if names else ""
        raise SourceError(
            f"sources.{described.name}.path: {place} holds no file in a form that can be read "
            f"({', '.join(READERS)}) with rows of {described.hub_id}, config {described.config}, split "
            f"{described.split}{found}. Name such a file or folder."
        )
    for name in chosen:
        yield from _file_parts(described, str(place / name))


def _front_matter(card: Path) -> str:
    found = re.match(r"---\n(.*?)\n---\s", card.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    return found[1] if found else ""


def _describes(name: Path) -> bool:
    """Not rows, but what is known of them; or what a client keeps for itself."""
    known = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json")
    return name.name in known or any(part.startswith(".") for part in name.parts)


_OTHER_SPLIT = re.compile(r"(?:train|test|valid|validation|val|dev|eval)(?![A-Za-z])")


def _chosen(described: Dataset, names: list[Path]) -> list[Path]:
    """Where files or their folders bear the names of what the dataset has, only those of our configuration and split;
    where none does, all but those of another split."""
    if described.files and (known := [name for name in names if str(name) in described.files]):
        return known
    for wanted in (described.config or "", described.split):
        if ours := [name for name in names if {*wanted.split("+")} & {*_words(name)}]:
            names = ours
    splits = {*described.split.split("+")}
    return [
        name for name in names if splits & {*_words(name)} or not any(_OTHER_SPLIT.match(word) for word in _words(name))
    ]


def _words(name: Path) -> list[str]:
    """Names of the folders, and of the file without its number among others: train-00000-of-00003.parquet is train."""
    stem = name.name[: len(name.name) - len(_ending(name))]
    return [*name.parts[:-1], re.sub(r"-\d{5}-of-\d{5}.*", "", stem)]


def _ending(file: str | Path) -> str:
    """That of READERS, or what else stands behind the last dot."""
    name = Path(file).name.lower()
    return next((ending for ending in READERS if name.endswith(ending)), Path(name).suffix)


def _file_parts(described: Dataset, file: str) -> Iterator[Part]:
    if (form := READERS.get(_ending(file))) is None:
        raise SourceError(
            f"sources.{described.name}.path: {file} has no ending of a form that can be read ({', '.join(READERS)}). "
            "Name such a file, or a folder with some."
        )
    if form == "json":
        yield file, _json_batches(described, file)
        return
    import datasets

    options: dict[str, Any] = {}
    if form == "csv":
        options = {"delimiter": "\t" if _ending(file) == ".tsv" else ",", "chunksize": _CSV_ROWS}
        # A column of text that has nothing but numbers is text: 007 is not 7.
        texts = [field.name for field in described.columns if pa.types.is_string(field.type)]
        options["converters"] = dict.fromkeys(texts, str)
    with told(described, file):
        builder = datasets.load_dataset_builder(form, data_files=[file], **options)
    yield file, _streamed(described, builder, "train", file)


_BLOCK = 2**20
_LONGEST_TOKEN = 20
"""Characters of a number, word or escape that may be cut off at the end of a block; strings may be longer."""
_NOTHING = re.compile(r"[\s,]*")


def _json_batches(described: Dataset, file: str) -> Iterator[list[Row]]:
    with told(described, file):
        yield from in_batches(json_rows(file))


def json_rows(file: str | Path) -> Iterator[Row]:
    """Objects of a file of JSON lines, or of one array, here or on the hub. Empty lines are passed over.

    Raises:
        SourceError: a line or an element is no JSON object; names it.
    """
    import fsspec

    with fsspec.open(str(file), "rb", compression="infer") as opened:
        # Files of the hub copy a block for every line that is asked of them.
        content = io.BufferedReader(opened, _BLOCK)
        number, start = 1, content.read(1)
        while start and start in b"\xef\xbb\xbf \t\r\n":
            number += start == b"\n"
            start = content.read(1)
        found = _elements(content, file) if start == b"[" else _lines(content, file, number, start)
        for place, row in found:
            if not isinstance(row, dict):
                raise SourceError(f"{file} {place} is a {type(row).__name__}, not a JSON object.")
            yield row


def _lines(content: IO[bytes], file: str | Path, first: int, start: bytes) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(chain([start + content.readline()], content), start=first):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line.decode())
            except (ValueError, RecursionError) as error:
                raise SourceError(f"{file} line {number} is not JSON ({error}).") from None


def _elements(content: IO[bytes], file: str | Path) -> Iterator[tuple[str, Any]]:
    """What stands between [ and ], one after the other: `json` alone would hold all of it."""
    decoder, text, number, end = json.JSONDecoder(), codecs.getreader("utf-8")(content), 1, 0
    block = ""
    while True:
        end = _NOTHING.match(block, end).end()
        try:
            if block[end : end + 1] == "]":
                return
            value, end = decoder.raw_decode(block, end)
        except (ValueError, RecursionError) as error:
            is_cut_off = isinstance(error, json.JSONDecodeError) and (
                error.pos > len(block) - _LONGEST_TOKEN or error.msg.startswith("Unterminated string")
            )
            more = _more(text, file, number, max(_BLOCK, len(block) - end)) if is_cut_off else ""
            if not more:
                raise SourceError(f"{file} element {number} is not JSON ({error}).") from None
            block, end = block[end:] + more, 0
        else:
            yield f"element {number}", value
            number += 1


def _more(text: codecs.StreamReader, file: str | Path, number: int, count: int) -> str:
    try:
        return text.read(count)
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not JSON at element {number} or after it ({error}).") from None


# --- what is there, and what is needed -----------------------------------------------------------------------


def check_columns(described: Dataset, present: Iterable[str], where: str, needed: Iterable[str] | None = None) -> None:
    """
    Args:
        needed: None means those that every part of the dataset has.

    Raises:
        SourceError: names the source, the missing columns and what there is.
    """
    present = list(present)
    needed = [name for name in described.needs if name not in described.optional] if needed is None else needed
    if missing := [name for name in needed if name not in present]:
        raise SourceError(
            f"source {described.name}: {where} lacks column {', '.join(missing)} (it has: {', '.join(present)}). "
            + _mend(described)
        )


def check_fields(described: Dataset, rows: list[Row], where: str, *, is_first: bool) -> None:
    """Of structs within columns: what has other fields would lose them, and come in with nulls for those of its schema.

    Args:
        is_first: of a part; a later batch may well leave out what its rows have no value for.

    Raises:
        SourceError: names the source, the column, the missing and unknown fields and what there is.
    """
    present, known = defaultdict(set), {}
    for field in described.columns:
        if field.name in described.needs and pa.types.is_nested(field.type):
            for path, declared, value in _structs(field.name, field.type, [row.get(field.name) for row in rows]):
                known[path] = declared.names
                # Readers of JSON give every row the fields of all.
                present[path] |= {name for name in value if name in declared.names or value[name] is not None}
    for path, names in present.items():
        missing = [name for name in known[path] if name not in names and f"{path}.{name}" not in described.optional]
        missing = missing if is_first else []
        unknown = [name for name in sorted(names) if name not in known[path]]
        if missing or unknown:
            faults = ["lacks " + ", ".join(missing)] * bool(missing) + ["has also " + ", ".join(unknown)] * bool(
                unknown
            )
            raise SourceError(
                f"source {described.name}: column {path} of {where} {' and '.join(faults)} (it has: "
                f"{', '.join(sorted(names))}; the adapter knows: {', '.join(known[path])}). " + _mend(described)
            )


def _structs(path: str, declared: pa.DataType, values: list[Any]) -> Iterator[tuple[str, pa.StructType, Row]]:
    """(path, declared type, value) of all structs, those within others too."""
    if pa.types.is_list(declared):
        inner = [element for value in values if isinstance(value, list) for element in value]
        yield from _structs(path, declared.value_type, inner)
    elif pa.types.is_struct(declared):
        some = [value for value in values if isinstance(value, dict)]
        for value in some:
            yield path, declared, value
        for field in declared:
            if pa.types.is_nested(field.type):
                yield from _structs(f"{path}.{field.name}", field.type, [value.get(field.name) for value in some])


def _mend(described: Dataset) -> str:
    return (
        f"The adapter in amt/sources reads the schema of {described.hub_id}; pin "
        f"sources.{described.name}.revision to a commit that has it, or mend the adapter."
    )


# --- errors --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def told(described: Dataset, where: str) -> Iterator[None]:
    try:
        yield
    except hub_errors() as error:
        raise _unreadable(described, where, error) from error


def hub_errors() -> tuple[type[Exception], ...]:
    """What reading from the hub raises for want of network, access, revision or file, or what unpacks it."""
    import httpx

    return (OSError, EOFError, ValueError, RuntimeError, zlib.error, httpx.HTTPError)


def _unreadable(described: Dataset, where: str, error: Exception) -> SourceError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if Path(where).exists():
        mend = f"Mend it, or name other rows as sources.{described.name}.path."
    else:
        terms = f"accept its terms at https://huggingface.co/datasets/{described.hub_id} and set HF_TOKEN, "
        terms = terms if described.gated else ""
        mend = f"Check the network, {terms}and sources.{described.name}.revision in params.yaml."
    return SourceError(f"{where} cannot be read: {type(error).__name__}: {reason}. {mend}")
