"""What a hostile program must not be able to do. Each attack prints "got through" if it succeeds.

The attacks run in the real sandbox, one after the other on the same workers, so each also shows that the one
before left nothing behind. Without bubblewrap they fail with the command that installs it.
"""

import os
import socket
import threading

import psutil
import pytest

from amt.rewards.code_tests import read_tests
from amt.sandbox.judging import Submission, judge
from amt.sandbox.runner import Input, Limits, Sandbox
from tests.sandbox.running import once, run_in

LIMITS = Limits(cpu_seconds=1.0, wall_seconds=5.0, memory_mb=256, output_bytes=1_000_000)
PROBE = Input("stdin", stdin="ping\n")
HONEST = "print(input())"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS, workers=1) as sandbox:
        yield sandbox


def run(sandbox, code, given=PROBE):
    return run_in(sandbox, code, given)


def test_the_tier_is_known(sandbox):
    assert sandbox.tier == "bubblewrap+seccomp"


ATTACKS = {
    "internet": "import socket\nsocket.create_connection(('1.1.1.1', 53), 1)",
    "datagram": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "abstract socket": "import socket\nsocket.socket(socket.AF_UNIX).bind('\\0amt')",
    "raw connect": "import ctypes\nassert ctypes.CDLL(None).socket(2, 1, 0) >= 0",
    "/etc/passwd": "open('/etc/passwd').read()",
    "home": "import os\nassert os.listdir(os.path.join(os.sep, 'root', '.ssh')) is not None or os.listdir('/home')",
    "the project": "import os\nassert any(os.path.exists(p) for p in ({project!r}, '/proc/1/cwd/..', '/mnt'))",
    "secrets of the environment": "import os\nassert 'AMT_SECRET' in str(os.environ) or "
    "b'AMT_SECRET' in open('/proc/self/environ', 'rb').read()",
    "environment of process 1": "open('/proc/1/environ', 'rb').read()",
    "descriptors of process 1": "import os\nassert os.listdir('/proc/1/fd')",
    "memory of process 1": "open('/proc/1/mem', 'rb').read(1)",
    "limits of process 1": "import resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))",
    "ptrace": "import ctypes\nassert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0",
    "write outside": "open('/usr/x', 'w')",
    "write to the root": "open('/x', 'w')",
    "write to /dev/shm": "open('/dev/shm/x', 'w')",
    "change the runtime": "import os\nopen(os.__file__, 'a')",
    "fork": "import os\nos.fork()",
    "fork bomb": "import os\nwhile True:\n    os.fork()",
    "a program": "import os\nos.execv('/usr/bin/env', ['env'])",
    "subprocess": "import subprocess\nsubprocess.run(['true'])",
    "multiprocessing": "import multiprocessing\nmultiprocessing.Process(target=print).start()",
    "a daemon": "import os\nif os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(100)",
    "threads without end": "import threading, time\nfor _ in range(10_000):\n"
    "    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "memory": "x = bytearray(1 << 30)",
    "memory in pieces": "x = []\nwhile len(x) < 1000:\n    x.append(bytearray(1 << 20))",
    "memfd": "import os\nos.memfd_create('x')",
    "shared memory": "import mmap\nx = mmap.mmap(-1, 1 << 30)",
    "a huge file": "f = open('big', 'wb')\nfor _ in range(100):\n    f.write(bytes(1 << 20))\nf.flush()",
    "many files": "import os\nfor n in range(100):\n    with open(str(n), 'wb') as f:\n        f.write(bytes(999_999))",
    "one gigabyte to standard output": "import sys\nfor _ in range(1000):\n    sys.stdout.write('x' * (1 << 20))",
    "cpu loop": "while True:\n    pass",
    "cpu loop that resets its limits": "import resource, signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
    "try:\n    resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))\nexcept ValueError:\n    pass\nwhile True:\n    pass",
    "cpu loop in C": "x = 10 ** (10 ** 8)",
    "sleep that ignores signals": "import signal, time\nfor n in range(1, 65):\n    try:\n"
    "        signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\ntime.sleep(100)",
    "stop itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "namespaces": "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "mount": "import ctypes\nassert ctypes.CDLL(None).mount(b'none', b'/scratch', b'tmpfs', 0, None) == 0",
    "io_uring": "import ctypes\nassert ctypes.CDLL(None).syscall(425, 1, bytes(120)) >= 0",
    "bpf": "import ctypes\nassert ctypes.CDLL(None).syscall(321, 0, bytes(120), 120) >= 0",
    "keyctl": "import ctypes\nassert ctypes.CDLL(None).syscall(250, 0, -3, 1) >= 0",
    "become root": "import os\nos.setuid(0)",
    "forget the filter": "import ctypes\nassert ctypes.CDLL(None).prctl(22, 0) == 0",
    "open descriptors": "import os\nfor n in range(4, 300):\n    try:\n        os.fstat(n)\n    except OSError:\n"
    "        continue\n    break\nelse:\n    raise OSError('none')",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_blocked(sandbox, monkeypatch, name):
    monkeypatch.setenv("AMT_SECRET", "s3cret")
    code = ATTACKS[name].replace("{project!r}", repr(os.getcwd())) + "\nprint('got through', flush=True)"
    execution = run(sandbox, code)
    assert b"got through" not in execution.stdout
    assert len(execution.stdout) <= LIMITS.output_bytes
    # The next test finds everything as it was.
    after = run(sandbox, f"import os\nassert os.listdir('/scratch') == []\n{HONEST}")
    assert (after.ended, after.stdout) == ("exited", b"ping\n"), after.stderr


def test_killing_the_parent_harms_only_the_killer(sandbox):
    code = "import os, signal\nfor n in range(1, 65):\n    for p in (1, os.getppid(), -1):\n" + (
        "        try:\n            os.kill(p, n)\n        except OSError:\n            pass\n"
    )
    assert run(sandbox, code).ended in ("exited", "killed")
    assert run(sandbox, HONEST).stdout == b"ping\n"


def test_nothing_is_left_behind(sandbox):
    code = (
        "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\nos.symlink('/', 'a/root')\n"
        "os.symlink('/dev/null', 'link')\nos.chmod('a/b', 0)\nos.chmod('a', 0)\nopen('.hidden', 'w')\nprint('done')"
    )
    assert run(sandbox, code).stdout == b"done\n"
    assert run(sandbox, "import os\nprint(os.listdir('/scratch'), os.listdir('/tmp'))").stdout == b"[] []\n"
    assert os.path.exists("/dev/null")


def test_a_link_in_the_scratch_folder_is_not_followed(sandbox, tmp_path):
    victim = tmp_path / "kept"
    victim.write_text("kept")
    run(sandbox, f"import os\nos.symlink({str(tmp_path)!r}, 'x')\nos.symlink({str(victim)!r}, 'y')")
    assert run(sandbox, HONEST).stdout == b"ping\n"
    assert victim.read_text() == "kept"


@pytest.mark.parametrize(
    "forgery",
    [
        """os.write(3, b'{"value": true}')""",
        """os.write(3, b'{"value": ["bool", true]}')""",
        """os.write(3, b'{"value": ["int", "0x2a"]}' * 2)""",
        """os.write(3, b'passed')""",
        """os.ftruncate(3, 900_000)""",
        """os.close(3)""",
        """[os.write(n, b'\\0\\0\\0\\x02\\0\\0\\0\\0{}') for n in (0, 1, 2, 3)]""",
    ],
)
def test_a_forged_result_is_no_pass(sandbox, forgery):
    tests = read_tests('{"kind": "call", "entry_point": "f", "cases": [{"args": [6], "expected": 42}]}')
    code = f"import os\n{forgery}\ndef f(x):\n    {forgery}\n    os._exit(0)"
    (judged,) = sandbox.map(judge, [Submission("python", code, tuple(tests))])
    assert judged.outcome == "failed"


def test_expected_values_are_nowhere_to_be_read(sandbox):
    """The program searches every frame, every object and its own memory for the value that it must return."""
    secret = 918_273_645_546_372
    tests = read_tests(f'{{"kind": "call", "entry_point": "f", "cases": [{{"args": [6], "expected": {secret}}}]}}')
    code = f"""
import gc, os, sys
def parts():
    return str(918_273_645), str({secret % 10**6})
def f(x):
    needle = "".join(parts())
    frame, found = sys._getframe(), []
    while frame:
        found += [name for name, value in frame.f_locals.items() if name != "needle" and needle in repr(value)]
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict | list) and thing is not sys._getframe().f_locals and {secret} - 1 + 1 in (
            thing.values() if isinstance(thing, dict) else thing
        ):
            found.append("object")
    return found or "nothing"
""".replace(f"{secret} - 1 + 1", f"{secret - 1} + x - 5")
    execution = run(sandbox, code, tests[0].given)
    assert execution.result == b'{"value": ["str", "nothing"]}', execution


def test_a_program_cannot_make_its_test_an_infrastructure_error(sandbox):
    """An error would be tried again, and then stop the build: no program may cause one."""
    for code in ("import os\nos._exit(255)", "import os\nos.closerange(0, 100)", "import ctypes\nctypes.string_at(0)"):
        assert run(sandbox, code).ended in ("exited", "killed")


def test_workers_end_with_the_sandbox():
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with Sandbox(LIMITS, workers=2) as sandbox:
        barrier = threading.Barrier(2)  # both workers get one

        def together(runner, _):
            barrier.wait(60)
            return once(HONEST, PROBE)(runner, None)

        assert [execution.stdout for execution in sandbox.map(together, [1, 2])] == [b"ping\n"] * 2
        started = {process.pid for process in psutil.Process().children(recursive=True)} - before
        assert len(started) >= 2
    assert not any(psutil.pid_exists(process_id) for process_id in started)


def test_an_address_of_the_host_is_not_reached(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket\nsocket.create_connection({server.getsockname()!r}, 1)\nprint('got through')"
        assert b"got through" not in run(sandbox, code).stdout
