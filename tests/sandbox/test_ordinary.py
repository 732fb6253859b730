"""What ordinary programs need of the system is inside, and no more of it than they need."""

import os

import pytest

from amt.sandbox.execution import Input, Limits
from amt.sandbox.runner import Compiling, Sandbox
from tests.sandbox.running import run_in

LIMITS = Limits(cpu_seconds=5.0, wall_seconds=10.0, memory_mb=2048, output_bytes=100_000)
LOCALE = pytest.mark.skipif(
    not os.path.exists("/usr/lib/locale/C.utf8"),
    reason="this system has no C.UTF-8 as a file: apt-get install libc-bin",
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    compiling = Compiling(cpu_seconds=120.0, memory_mb=2048, cache=tmp_path_factory.mktemp("compiled"))
    with Sandbox(LIMITS, workers=1, compiling=compiling) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    "awaited",
    [
        "asyncio.to_thread(slow)",
        "asyncio.get_running_loop().run_in_executor(None, slow)",
        "asyncio.wait_for(asyncio.to_thread(slow), 5)",
    ],
)
def test_asyncio_is_woken_by_threads(sandbox, awaited):
    code = (
        "import asyncio, time\n\ndef slow():\n    time.sleep(0.1)\n    return 7\n\n"
        f"async def main():\n    print(await {awaited})\n\nasyncio.run(main())"
    )
    ended = run_in(sandbox, code, Input("stdin"))
    assert (ended.ended, ended.stdout) == ("exited", b"7\n"), ended.stderr


@pytest.mark.parametrize(
    "call",
    [
        "a.sendto(b'x', '/scratch/a')",
        "a.sendto(b'x', '\\0a')",
        "a.recvfrom(1)",
        "a.sendmsg([b'x'])",
        "a.sendmsg([b'x'], [], 0, '/scratch/a')",
    ],
)
def test_addresses_stay_refused(sandbox, call):
    code = f"import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\nb.send(b'x')\n{call}"
    assert "PermissionError" in run_in(sandbox, code, Input("stdin")).stderr


@LOCALE
def test_the_locale_of_the_environment_is_there(sandbox):
    code = "import locale\nlocale.setlocale(locale.LC_ALL, '')\nprint(locale.strcoll('a', 'b') < 0, os.environ['LANG'])"
    assert run_in(sandbox, code, Input("stdin")).stdout == b"True C.UTF-8\n"


@LOCALE
def test_the_locale_of_the_environment_is_there_in_cpp(sandbox):
    code = (
        '#include <iostream>\n#include <locale>\nint main() { std::locale::global(std::locale("")); std::cout << 7; }'
    )
    ended = run_in(sandbox, code, Input("stdin"), "cpp")
    assert (ended.ended, ended.stdout) == ("exited", b"7"), ended
