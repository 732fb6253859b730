"""`amt sandbox serve`: judge submissions for other machines, until SIGTERM."""

import argparse
import dataclasses
import logging
import math
import os
import sys
from collections.abc import Callable

from amt.errors import AmtError, MissingToolError
from amt.placement import compile_cache
from amt.sandbox.runner import COMPILING, Sandbox, SubmissionLimits
from amt.sandbox.server import PROBE_LIMITS, Settings, serve

EPILOGUE = """\
The environment variable AMT_SANDBOX_KEY, where it is set, is what clients must show. Limits of tests come with each
submission, out of the client's recipe; those given here are upper bounds. docs/sandbox-servers.md tells more.
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="amt sandbox", description="The sandbox of model-written code as a service.")
    serve = top.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "serve", help=__doc__.splitlines()[0], description=__doc__.splitlines()[0], epilog=EPILOGUE,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )  # fmt: skip
    cores = len(os.sched_getaffinity(0))
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 for other machines")
    serve.add_argument(
        "--port", type=_number(int, 0, 65535), default=8600, help="0 takes a free one; the address is printed"
    )
    serve.add_argument("--workers", type=_number(int, 1), default=cores, help="submissions judged at once: one a core")
    serve.add_argument(
        "--queue", type=_number(int, 0), default=argparse.SUPPRESS, help="most that wait (default: 4 a worker)"
    )
    serve.add_argument("--max-cpu-seconds", type=_number(float, 0.1, 1e6), default=60.0, help="of a test")
    serve.add_argument("--max-wall-seconds", type=_number(float, 0.1, 1e6), default=300.0, help="of a test")
    serve.add_argument("--max-memory-mb", type=_number(int, 1), default=8192, help="of a test")
    serve.add_argument("--max-output-bytes", type=_number(int, 1), default=64 << 20, help="of a test")
    serve.add_argument("--max-compile-seconds", type=_number(float, 0.1, 1e6), default=120.0, help="of CPU")
    serve.add_argument(
        "--max-compile-memory-mb", type=_number(int, 1), default=8192, help="of each process of a compiler"
    )
    serve.add_argument("--max-body-mb", type=_number(int, 1), default=128, help="of a submission with all its tests")
    serve.add_argument("--allow-unprotected", action="store_true", help="serve even where nothing isolates programs")
    return top


def _number(kind: type, least: float, most: float = math.inf) -> Callable[[str], float]:
    def parsed(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not {least} or more" + f", up to {most}" * (most < math.inf))
        return value

    parsed.__name__ = kind.__name__  # which argparse says where the text is no number
    return parsed


def main() -> None:
    args = parser().parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    key = os.environ.get("AMT_SANDBOX_KEY") or None
    if key is None and args.host not in ("127.0.0.1", "::1", "localhost"):
        logging.warning("anyone who reaches %s can run code here: set AMT_SANDBOX_KEY, for clients too", args.host)
    settings = Settings(
        workers=args.workers,
        queue=getattr(args, "queue", 4 * args.workers),
        maximum=SubmissionLimits(
            args.max_cpu_seconds,
            args.max_wall_seconds,
            args.max_memory_mb,
            args.max_output_bytes,
            args.max_compile_seconds,
            args.max_compile_memory_mb,
        ),
        body_bytes=args.max_body_mb << 20,
        key=key,
    )
    try:
        sandbox = Sandbox(
            PROBE_LIMITS.of_test,
            workers=args.workers,
            allow_unprotected=args.allow_unprotected,
            compiling=dataclasses.replace(COMPILING, cache=compile_cache()),
        )
        serve(sandbox, settings, args.host, args.port)
    except MissingToolError as error:
        print(f"error: {error}\nFor this server that is the option --allow-unprotected.", file=sys.stderr)
        sys.exit(1)
    except (AmtError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
