"""Nothing that one program was, was given or put out is within reach of the next, nor of the next test of the same."""

import json

import pytest

from amt.sandbox.execution import Input, Limits
from amt.sandbox.runner import Sandbox

LIMITS = Limits(cpu_seconds=5.0, wall_seconds=20.0, memory_mb=1024, output_bytes=1_000_000)

LEAVING = """
# TRACE_source_0001
import os, sys
def leave(what):
    open('TRACE_' + 'file_' + '0002', 'w').write('TRACE_' + 'content_' + '0003')
    os.mkdir('TRACE_' + 'folder_' + '0004')
    os.environ['TRACE_' + 'variable_' + '0005'] = what
    print('TRACE_' + 'printed_' + '0006')
    print('TRACE_' + 'complained_' + '0007', file=sys.stderr)
    return 'TRACE_' + 'returned_' + '0008'
def TRACE_name_0009(what): return leave(what)
if __name__ == "__main__": leave(sys.stdin.read())
"""
LOOKING = """
import os, re
own, pattern, found = input(), rb"TRACE_[a-z]+_[0-9]{4}", set()
with open("/proc/self/mem", "rb", 0) as memory:
    for line in open("/proc/self/maps"):
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        if " r" in line and "[v" not in line:
            memory.seek(start)
            found.update(re.findall(pattern, memory.read(end - start)))
for number in range(4096):
    try:
        found.update(re.findall(pattern, os.pread(number, 1 << 20, 0)))
    except OSError:
        pass
print(*sorted(n.decode() for n in found))
"""
SIZES = [0, 300, 3000, 300_000]
"""Of further text: what is small lies elsewhere in a heap than what is large."""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS, workers=1) as sandbox:
        yield sandbox


def _after(sandbox, code: str, given: list[Input], looking: str = LOOKING) -> list[str]:
    """What LOOKING finds after these runs of another program, on the same worker."""

    def run(runner, _):
        assert runner.load("python", code) is None
        ended = [runner.run(one) for one in given]
        assert all(one.status == 0 and b"TRACE" in one.stdout + one.result for one in ended), ended
        assert runner.load("python", looking) is None
        found = runner.run(Input("stdin", stdin="TRACE_own_0000\n"))
        assert found.status == 0, found
        return found.stdout.decode().split()

    return sandbox.map(run, [None])[0]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_a_program_that_was_called_is_seen_by_the_next(sandbox, size):
    args = json.dumps(["TRACE_argument_0010" + size * "x"])
    given = [Input("call", entry_point="TRACE_name_0009", args=args)] * 3
    assert _after(sandbox, LEAVING + "#" * size, given) == ["TRACE_own_0000"]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_a_program_that_printed_is_seen_by_the_next(sandbox, size):
    given = [Input("stdin", stdin="TRACE_input_0011" + size * "x")] * 3
    assert _after(sandbox, LEAVING + f"print({size} * 'x')", given) == ["TRACE_own_0000"]


def test_nothing_of_a_test_is_seen_by_the_next(sandbox):
    def run(runner, _):
        assert runner.load("python", LOOKING) is None
        return [runner.run(Input("stdin", stdin=f"TRACE_own_000{n}\n")).stdout.decode() for n in range(3)]

    assert sandbox.map(run, [None])[0] == [f"TRACE_own_000{n}\n" for n in range(3)]


def test_a_call_reads_nothing_from_standard_input(sandbox):
    def run(runner, _):
        assert (
            runner.load("python", "import os, sys\ndef f(*x): return sys.stdin.read() + str(os.fstat(0).st_size)")
            is None
        )
        return runner.run(Input("call", entry_point="f", args="[1, 2, 3]")).result

    assert json.loads(sandbox.map(run, [None])[0]) == {"value": ["str", "0"]}
