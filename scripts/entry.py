"""How every script starts and ends: arguments and recipe in, one call, an exit status out."""

import argparse
import errno
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from amt.errors import AmtError
from amt.params import Recipe, load_for_stage
from amt.placement import placement
from amt.tracking import track


class StageParser(argparse.ArgumentParser):
    stage: str


def stage_parser(stage: str, description: str) -> StageParser:
    """Parser of one stage's script; its `prog` is the command that runs it."""
    parser = StageParser(
        prog=f"python -m scripts.{stage}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.stage = stage
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="the recipe (default: params.yaml)"
    )
    return parser


def run_stage(parser: StageParser, main: Callable[[argparse.Namespace, Recipe], None]) -> None:
    """Call main(arguments, recipe) and record it in MLflow.

    What the user can mend, a full disk too, is one message and exit status 1; a bug of ours is a traceback.
    """
    args = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        # the copy of the build's start (amt.build.pin)
        recipe = load_for_stage(os.environ.get("AMT_PINNED_RECIPE", args.params))
        with track(parser.stage, experiment=recipe.name, settings=recipe.model_dump(mode="json"), **_told_apart(args)):
            main(args, recipe)
    except AmtError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if not (cause := disk_full(error)):
            raise
        print(f"error: no space is left: {cause}\n{_room(args)}\nWhat was finished is kept.", file=sys.stderr)
        sys.exit(1)


def disk_full(error: BaseException | None) -> BaseException | None:
    """The exception among an error and its causes that tells of a full disk or quota.

    Not every library raises OSError for it: safetensors, torch and sqlite have exceptions of their own.
    """
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or re.search(
            r"no space left on device|disk is full|quota exceeded", str(error), re.IGNORECASE
        ):
            return error
        error = error.__cause__ or error.__context__
    return None


def _room(args: argparse.Namespace) -> str:
    """Free space wherever the stage reads and writes, and what to do."""
    paths = [path for named in _told_apart(args)["paths"].values() for path in named]
    folders = {path.absolute().parent for path in (*paths, Path(placement().scratch))}
    free_of = {
        os.stat(folder).st_dev: (folder, shutil.disk_usage(folder).free) for folder in folders if folder.is_dir()
    }
    fullest_first = sorted(free_of.values(), key=lambda room: room[1])
    lines = [f"  {folder}: {free / 1e6:.1f} MB free" for folder, free in fullest_first]
    return "\n".join([*lines, "Make room there, or name a larger disk: `scratch` in the file of AMT_PLACEMENT."])


def _told_apart(args: argparse.Namespace) -> dict:
    """The paths among the arguments, and the other values: they name the run."""
    paths: dict[str, list[Path]] = {}
    labels: list[str] = []
    for name, value in vars(args).items():
        values = value if isinstance(value, list) else [value]
        if name == "params" or value is None or isinstance(value, bool):
            continue
        if all(isinstance(one, Path) for one in values):
            paths[name] = values
        else:
            labels += [str(one) for one in values]
    return {"paths": paths, "labels": labels}
