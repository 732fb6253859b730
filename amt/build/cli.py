"""The command `amt`: one DAG for Snakemake and DVC, why it would run what it would run, and what became of rows."""

import argparse
import contextlib
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from amt.build.stages import RECIPE, BuildError, Stage, described, planned, stages_of
from amt.errors import AmtError

if TYPE_CHECKING:
    from amt.flow.ledgers import Ledgers

EPILOGUE = """\
Artifacts are built with `snakemake`, `dvc repro` or `make run`; `amt` says what they would do, and why.

  amt status                    what is up to date, what is not
  amt why models/sft            why it would run: which setting, function, library or input, from what to what
  amt why --all                 the same for everything that is not up to date
  amt runs models/rl2           the MLflow runs behind an artifact
  amt trace ROW                 what became of a row, from the published file to the checkpoints
  amt funnel --by source        where all rows went, and why
  amt spending                  what the answers of endpoints cost
  amt sandbox serve             judge code for the builds of other machines

docs/what-rebuilds-what.md says what an artifact is made of.
"""


def main() -> None:
    args = parser().parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    args.projects = [project.resolve() for project in getattr(args, "projects", [])]
    try:
        if args.call is call_sandbox:
            call_sandbox(args)
        enter_project()
        with _dvc_told():
            status = args.call(args)
        sys.stdout.flush()
        sys.exit(status)
    except BrokenPipeError:  # a reader such as `head` has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (AmtError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@contextlib.contextmanager
def _dvc_told() -> Iterator[None]:
    """What DVC says of itself is no bug of ours."""
    try:
        yield
    except Exception as error:
        if "dvc" in sys.modules:
            from dvc.exceptions import DvcException

            if isinstance(error, DvcException):
                raise BuildError(f"DVC: {error}" + (f": {error.__cause__}" if error.__cause__ else "")) from error
        raise


def enter_project() -> None:
    """Go to the folder of the Snakefile, from wherever in the project.

    Raises:
        BuildError: this is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Snakefile").is_file():
            os.chdir(folder)
            return
    raise BuildError(f"neither {here} nor a folder above it has a Snakefile: call amt inside a project.")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="amt", description=__doc__, epilog=EPILOGUE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, call, told: str, more: str = "") -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}. {more}".strip())
        one.set_defaults(call=call)
        return one

    why = command(
        "why",
        call_why,
        "say why an artifact is up to date or not",
        "Runs nothing and changes no artifact. Exit status 0 if all that was asked for is up to date, 3 if not.",
    )
    why.add_argument("target", nargs="*", help="an output (models/sft, data/curated/), or a stage of dvc.yaml (grpo_1)")
    why.add_argument("--all", action="store_true", help="every artifact")
    why.add_argument("--full", action="store_true", help="name every changed function, however many")

    command("status", call_status, "count what is up to date, in the cache, and yet to run")

    commit = command(
        "commit",
        call_commit,
        "record in dvc.lock what Snakemake finished",
        "A build does so by itself when it ends; after a kill, the next command of either tool does.",
    )
    commit.add_argument("--quiet", action="store_true", help="print nothing when there was nothing to record")

    gc = command(
        "gc",
        call_gc,
        "remove what the DVC cache holds and nothing needs",
        "Kept is what lies in the workspace, on a branch, under a tag, or in an experiment of DVC. Asks first.",
    )
    gc.add_argument(
        "--projects",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="all projects that use this cache, if it lies outside this one; `.` if only this one does",
    )
    gc.add_argument("--yes", action="store_true", help="do not ask")

    command("spending", call_spending, "say what the answers of endpoints cost so far, by role and model")

    runs = command("runs", call_runs, "list the MLflow runs behind an artifact", "`=` marks those that made it.")
    runs.add_argument("target", help="an output, or a stage of dvc.yaml")

    trace = command(
        "trace",
        call_trace,
        "tell what became of a row, from the published file to the checkpoints",
        "Reads the ledgers below data/ and models/.",
    )
    add_recipe(trace)
    trace.add_argument("row", help="a row_id (openr1_math_220k:4e0691b0062e18ab), or one with /SAMPLE: a response")

    funnel = command("funnel", call_funnel, "show where rows went: kept by each stage, and left out for which reason")
    add_recipe(funnel)
    funnel.add_argument("--by", choices=["stage", "source", "category"], default="stage", help="(default: stage)")
    funnel.add_argument("--out", type=Path, metavar="FILE", help="draw it too: .svg or .png")

    sandbox = command(
        "sandbox",
        call_sandbox,
        "judge code for the builds of other machines",
        "`amt sandbox serve --help` tells more. It needs no project.",
    )
    sandbox.add_argument("words", nargs=argparse.REMAINDER, metavar="serve ...")

    export = command("export", call_export, "write dvc.yaml from the rules")
    export.add_argument("--check", action="store_true", help="write nothing; exit status 1 if dvc.yaml is stale")

    draw = command("draw", call_draw, "draw the rules as a picture (SVG)")
    draw.add_argument("file", type=Path)
    return top


def add_recipe(command: argparse.ArgumentParser) -> None:
    command.add_argument("--params", metavar="FILE", default=RECIPE, help=f"recipe of the build (default: {RECIPE})")


# --- what would run, and why ------------------------------------------------------------------------------


def call_why(args: argparse.Namespace) -> int:
    from amt.build.judge import State
    from amt.build.why import reasons

    if bool(args.target) == args.all:
        raise BuildError("name an artifact, e.g. `amt why models/sft`, or ask for all: `amt why --all`.")
    judge, verdicts = judged()
    stages = [verdict.stage for verdict in verdicts.values()]
    asked = [verdicts[stage.name] for stage in (stages if args.all else named(args.target, stages))]
    stale = [verdict for verdict in asked if verdict.state is not State.CURRENT]
    for verdict in asked if args.target else stale:
        told = reasons(verdict, verdicts, judge, full=args.full)
        print(f"{verdict.stage.name}: {verdict.state.value}" + (":" if told else ""))
        for line in told:
            print(f"  {line}")
    if args.all:
        print(f"{len(asked) - len(stale)} of {len(asked)} stages are up to date.")
    return 3 if stale else 0


def call_status(args: argparse.Namespace) -> int:
    from amt.build.judge import State
    from amt.build.records import all_made

    _, verdicts = judged()
    count = Counter(verdict.state for verdict in verdicts.values())
    for state in State:
        names = [verdict.stage.name for verdict in verdicts.values() if verdict.state is state]
        listed = "" if state is State.CURRENT or not names else ": " + ", ".join(names)
        print(f"{count[state]:4d} {state.value}{listed}")
    if waiting := [made.stage for made in all_made() if not made.is_recorded]:
        print(f"{len(waiting):4d} finished and not recorded yet (`amt commit`): {', '.join(waiting)}")
    if count[State.RUN] or count[State.RESTORE]:
        print("`amt why --all` says why.")
    return 0


def judged():
    """A judge, and its verdict on every stage by name. dvc.yaml is brought up to date first."""
    from amt.build.judge import Judge
    from amt.build.pin import is_building
    from amt.build.refresh import export_if_stale, source_tree

    if not is_building():
        export_if_stale()
    judge = Judge(RECIPE, sources=source_tree())
    verdicts = judge.plan(described())
    judge.contents.save()
    judge.sources.save()
    return judge, verdicts


def named(targets: list[str], stages: list[Stage]) -> list[Stage]:
    """The stages that make these artifacts, or have these names.

    Raises:
        BuildError: there is none.
    """
    found = []
    for target in targets:
        path = target.rstrip("/")
        fitting = [
            stage
            for stage in stages
            if target == stage.name or any(out == path or out.startswith(path + "/") for out in stage.outs)
        ]
        if not fitting:
            inside = [stage for stage in stages if any(path.startswith(out + "/") for out in stage.outs)]
            fitting = inside
        if not fitting:
            from difflib import get_close_matches

            known = [name for stage in stages for name in (stage.name, *stage.outs)]
            near = get_close_matches(target, known, 3, 0.5)
            raise BuildError(
                f"no stage makes {target}, or has that name." + (f" Near it: {', '.join(near)}." if near else "")
            )
        found += fitting
    return list({stage.name: stage for stage in found}.values())


# --- the rest ---------------------------------------------------------------------------------------------


def call_commit(args: argparse.Namespace) -> int:
    from amt.build.commit import commit
    from amt.build.pin import build_lock
    from amt.build.refresh import refresh

    if fault := refresh():
        raise BuildError(fault)
    with build_lock():
        done = commit()
    if done.in_lock or not args.quiet:
        print(f"recorded in dvc.lock: {len(done.in_lock)} stage(s)" + "".join(f"\n  {name}" for name in done.in_lock))
    for made in done.others:
        print(f"kept in the cache: {made.stage} of {made.params_file}")
    return 1 if done.refused else 0


def call_gc(args: argparse.Namespace) -> int:
    from amt.build.commit import commit
    from amt.build.garbage import Garbage, find, held, remove

    with held(args.projects):
        commit()
        garbage = find(args.projects)
    if not garbage.objects:
        print("nothing to remove: every object in the cache is needed.")
        return 0
    told = f"{len(garbage.objects)} objects, {garbage.size / 1e6:.1f} MB, of {len(garbage.runs)} remembered runs"
    print(f"not needed by the workspace, a branch, a tag or an experiment: {told}.")
    if not args.yes:
        if not sys.stdin.isatty():
            raise BuildError("nobody to ask whether to remove them: add --yes.")
        if input("Remove them? They can only come back by running their stages again. [y/N] ").lower() != "y":
            print("nothing was removed.")
            return 1
    with held(args.projects):
        commit()
        now = find(args.projects)  # what was asked about, less what came to be needed since
        objects = {file: size for file, size in garbage.objects.items() if file in now.objects}
        remove(Garbage(objects, [run for run in now.runs if run in garbage.runs]))
    print(f"removed {sum(objects.values()) / 1e6:.1f} MB.")
    return 0


def call_runs(args: argparse.Namespace) -> int:
    from amt.build.runs import run_lines

    for stage in named([args.target], described()):
        print(f"{stage.name}:")
        print("\n".join(run_lines(stage)) or "  no run in MLflow (mlflow.db here, or MLFLOW_TRACKING_URI)")
    return 0


def call_trace(args: argparse.Namespace) -> int:
    from amt.flow.trace import trace

    print("\n".join(trace(ledgers_of(args.params), args.row)))
    return 0


def ledgers_of(params_file: str) -> "Ledgers":
    """Those that a recipe's build writes, as far as they are there; it says which others lie about.

    Folders of an earlier build stay when shards become fewer or a source goes.
    """
    from amt.flow.ledgers import Ledgers, find_ledgers

    if params_file == RECIPE:
        stages = described()
    else:
        with planned(params_file) as workflow:
            stages = stages_of(workflow, params_file)
    outs = {out for stage in stages for out in stage.outs}
    found = find_ledgers()
    current = [file for file in found if any(str(path) in outs for path in (file, *file.parents))]
    if others := sorted(set(found) - set(current)):
        named = ", ".join(map(str, others[:3])) + (", …" if len(others) > 3 else "")
        print(
            f"{len(others)} ledger(s) left out, which are not of {params_file}: {named}. "
            "Of another recipe: --params FILE; of an earlier build: delete them.",
            file=sys.stderr,
        )
    return Ledgers(current)


def call_funnel(args: argparse.Namespace) -> int:
    from amt.flow.funnel import category_of_source, count, group_table, stage_table

    if args.out and args.out.suffix not in (".svg", ".png"):
        raise BuildError(f"--out {args.out}: it can be drawn as .svg or .png.")
    counts = count(ledgers_of(args.params))
    if args.by == "stage":
        groups = {}
        table = stage_table(counts.by_stage())
    else:
        groups = counts.of_source if args.by == "source" else counts.grouped(category_of_source())
        table = group_table(args.by, groups)
    print("\n".join(table))
    if args.out:
        from amt.drawing import save
        from amt.flow.picture import group_funnel, stage_funnel

        args.out.parent.mkdir(parents=True, exist_ok=True)
        save(args.out, lambda: group_funnel(groups) if groups else stage_funnel(counts.by_stage()))
    return 0


def call_spending(args: argparse.Namespace) -> int:
    from amt.endpoints.answers import DATABASE, Answers
    from amt.endpoints.spending import ONE, table, told
    from amt.placement import endpoint_cache, placement

    where = placement()
    rows = []
    if (endpoint_cache() / DATABASE).exists():
        with Answers(endpoint_cache()) as answers:
            rows = answers.spending()
    print("\n".join(table(rows, where.endpoint_currency)) if rows else f"nothing was asked yet ({endpoint_cache()}).")
    if where.endpoint_budget is not None:
        left = round(where.endpoint_budget * ONE) - sum(row.cost + row.perhaps for row in rows)
        print(f"left of endpoint_budget: {told(left, where.endpoint_currency)}")
    return 0


def call_sandbox(args: argparse.Namespace) -> NoReturn:
    """Become the server: it is a program of its own, and knows no build."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "amt.sandbox", *args.words])


def call_export(args: argparse.Namespace) -> int:
    from amt.build.export import dvc_yaml, export

    if not args.check:
        export()
    elif Path("dvc.yaml").read_text() != dvc_yaml():
        print("dvc.yaml is stale: the rules or the sources of params.yaml changed. Run `make dvc.yaml`.")
        return 1
    return 0


def call_draw(args: argparse.Namespace) -> int:
    from amt.build.draw import draw

    draw(args.file)
    return 0
