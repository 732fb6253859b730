"""Python programs that want out. Each raises, dies or hangs where it is stopped; at its end it prints the proof."""

from tests.sandbox.attack import PYTHON_PROOF, Attack

LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"


def attack(family: str, name: str, code: str, **more) -> Attack:
    then = more.pop("then", "")
    ends = code if then else code + PYTHON_PROOF
    return Attack(name, family, "python", ends, then=then and then + PYTHON_PROOF, **more)


def call(family: str, name: str, expression: str, **more) -> Attack:
    """A system call (or a function of the C library) that must not succeed."""
    return attack(family, name, f"{LIBC}assert {expression} >= 0, os.strerror(ctypes.get_errno())", **more)


def uncontrolled(why: str) -> dict:
    return {"control": "none", "why_no_control": why}


def soon(condition: str) -> str:
    """Within 3 s, what is to happen beside the program."""
    return f"n = 0\nwhile not ({condition}):\n    time.sleep(0.1)\n    n += 1\n    assert n < 30"


NETWORK = [
    attack(
        "network",
        "the internet",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))",
        **uncontrolled("needs a route to the internet"),
    ),
    attack("network", "loopback", "import socket\nsocket.create_connection(('127.0.0.1', @PORT@), 2)"),
    attack(
        "network",
        "a datagram",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', @PORT@))",
    ),
    attack(
        "network",
        "listen",
        "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()",
    ),
    attack(
        "network",
        "a message whose address no filter sees",
        "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\na.sendmsg([b'x'])\nb.recv(1)",
    ),
    attack(
        "network",
        "abstract socket of the host",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0@ABSTRACT@')",
    ),
    attack(
        "network", "abstract socket of its own", "import socket\nsocket.socket(socket.AF_UNIX).bind('\\0@ABSTRACT@2')"
    ),
    attack("network", "socket in the file system", "import socket\nsocket.socket(socket.AF_UNIX).bind('here')"),
    attack("network", "netlink", "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0))"),
    attack(
        "network",
        "kernel crypto socket",
        "import socket\nsocket.socket(38, socket.SOCK_SEQPACKET)",
        **uncontrolled("not every kernel has it"),
    ),
    attack("network", "raw packets", "import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)", control="root"),
    call("network", "socket by system call number", "libc.syscall(41, 2, 1, 0)"),
]

FILES = [
    attack("host files", "/etc/passwd", "print(open('/etc/passwd').read())"),
    attack("host files", "the file with the tests", "print(open('@SECRET@').read())"),
    attack("host files", "the tests through /proc/self/root", "print(open('/proc/self/root@SECRET@').read())"),
    attack(
        "host files",
        "the tests through process 1",
        "print(open('/proc/1/root@SECRET@').read())",
        **uncontrolled("needs CAP_SYS_PTRACE, which a container's root lacks"),
    ),
    attack(
        "host files",
        "the tests through a parent's folder",
        "import os\nos.chdir('/proc/%d/cwd' % os.getppid())\nprint(open('tests.json').read())",
    ),
    attack(
        "host files",
        "search the whole file system for the tests",
        "import os\nassert any('tests.json' in files for _, _, files in os.walk('/tmp'))",
    ),
    attack(
        "host files",
        "home folders",
        "import os, sys\n"
        "found = [n for d in ('/root', '/home') if os.path.isdir(d) for n in os.listdir(d)]\n"
        "assert [n for n in found if n not in sys.base_prefix]",
        control="root",
    ),
    attack("host files", "/sys", "import os\nassert os.listdir('/sys/class')"),
    attack("host files", "write to a file outside", "open('@VICTIM@', 'w').write('x')"),
    attack("host files", "change the mode of a file outside", "import os\nos.chmod('@VICTIM@', 0)"),
    attack("host files", "write to the root", "open('/x.amt', 'w')\nimport os\nos.unlink('/x.amt')", control="root"),
    attack(
        "host files", "write to /usr", "open('/usr/x.amt', 'w')\nimport os\nos.unlink('/usr/x.amt')", control="root"
    ),
    attack("host files", "write to /dev/shm", "open('/dev/shm/x.amt', 'w')\nimport os\nos.unlink('/dev/shm/x.amt')"),
    attack("host files", "change the runtime", "import os\nopen(os.__file__, 'a')", control="root"),
    attack(
        "host files",
        "make a device",
        "import os, stat\nos.mknod('null', stat.S_IFCHR | 0o666, os.makedev(1, 3))",
        control="root",
    ),
    attack("host files", "/proc/kmsg", "open('/proc/kmsg')", control="root"),
    attack("host files", "settings of the kernel", "open('/proc/sys/kernel/core_pattern', 'a')", control="root"),
    attack(
        "host files",
        "hard link to a file outside",
        "import os\nos.link('@VICTIM@', 'mine')\nopen('mine', 'w').write('x')",
    ),
    attack(
        "host files",
        "link to a file outside",
        "import os\nos.symlink('@VICTIM@', 'mine')\nopen('mine', 'w').write('x')",
    ),
    attack(
        "host files",
        "links for whoever clears up",
        "import os\nos.symlink('@DIR@', 'folder')\nos.symlink('@VICTIM@', 'file')\nos.symlink('..', 'up')",
        then="import os\nassert os.listdir()",
        **uncontrolled("the harm would be done by a grader that follows links"),
    ),
    attack(
        "host files",
        "lock a file of the runtime",
        "import fcntl, os\nfcntl.flock(open(os.__file__), fcntl.LOCK_EX | fcntl.LOCK_NB)",
    ),
    attack(
        "host files",
        "lease on a file of the runtime",
        "import fcntl, os\nfcntl.fcntl(open(os.__file__), fcntl.F_SETLEASE, fcntl.F_RDLCK)",
        control="root",
    ),
    call(
        "host files",
        "watch what others do with the runtime",
        "libc.inotify_add_watch(libc.inotify_init(), os.__file__.encode(), 0xFFF)",
    ),
]

SECRETS = [
    attack("secrets", "environment", "import os\nprint(dict(os.environ), open('/proc/self/environ').read())\nassert 0"),
    attack(
        "secrets",
        "environment of all processes",
        "import os\nfor n in filter(str.isdigit, os.listdir('/proc')):\n    try:\n"
        "        print(open(f'/proc/{n}/environ').read())\n    except OSError:\n        pass\nassert 0",
    ),
    attack("secrets", "environment of the parent", "import os\nassert open(f'/proc/{os.getppid()}/environ').read()"),
    attack("secrets", "descriptors of the parent", "import os\nassert os.listdir(f'/proc/{os.getppid()}/fd')"),
    attack("secrets", "memory of the parent", "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb')"),
    attack("secrets", "address map of the parent", "import os\nassert open(f'/proc/{os.getppid()}/maps').read()"),
    attack(
        "secrets",
        "command lines of the host",
        "import os\nassert 'pytest' in str([open(f'/proc/{n}/cmdline').read() for n in filter(str.isdigit, "
        "os.listdir('/proc'))])",
        **uncontrolled("depends on how the tests were started"),
    ),
    attack(
        "secrets",
        "descriptors left open",
        "import os\nfor n in range(4, 300):\n    try:\n        os.fstat(n)\n    except OSError:\n        continue\n"
        "    break\nelse:\n    raise OSError('none')",
    ),
]

_SPAWN = "import os\nassert os.waitstatus_to_exitcode(os.waitpid({}, 0)[1]) == 0"
PROCESSES = [
    attack("processes", "fork", "import os\nos.fork() or os._exit(0)"),
    attack("processes", "many forks", "import os\nfor _ in range(200):\n    os.fork() or os._exit(0)"),
    attack("processes", "posix_spawn", _SPAWN.format("os.posix_spawn('/bin/true', ['true'], {})")),
    attack("processes", "system", "import os\nassert os.system('exit 0') == 0"),
    attack("processes", "popen", "import os\nassert os.popen('echo x').read() == 'x\\n'"),
    attack("processes", "subprocess", "import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''], check=True)"),
    attack(
        "processes",
        "multiprocessing",
        "import multiprocessing\np = multiprocessing.get_context('fork').Process(target=int)\np.start()\np.join()\n"
        "assert p.exitcode == 0",
    ),
    attack(
        "processes",
        "become the interpreter",
        "import os, sys\nos.execv(sys.executable, ['python', '-c', 'print(\"got\", \"through\")'])",
    ),
    attack(
        "processes",
        "become a program by the loader",
        "import os, sys\nos.execv('/lib64/ld-linux-x86-64.so.2', ['ld', sys.executable, '-c', 'print(\"got\", "
        '"through")\'])',
    ),
    attack(
        "processes",
        "become a script of its own",
        "import os\nopen('x', 'w').write('#!/bin/sh\\necho got through\\n')\nos.chmod('x', 0o755)\n"
        "os.execv('./x', ['x'])",
    ),
    call("processes", "clone by number", "(lambda n: n or os._exit(0))(libc.syscall(56, 17, 0, 0, 0, 0))"),
    call(
        "processes",
        "clone3 by number",
        "(lambda n: n or os._exit(0))(libc.syscall(435, (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17), 64))",
    ),
    call("processes", "vfork by number", "(lambda n: n or os._exit(0))(libc.syscall(57))"),
    attack(
        "processes",
        "a daemon that waits for the next test",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1)\n    open('here', 'w')\n"
        "    os._exit(0)",
        then="import os, time\n" + soon("os.path.exists('here')"),
    ),
    attack(
        "processes",
        "threads without end",
        "import threading, time\nfor _ in range(200):\n    threading.Thread(target=time.sleep, args=(2,), "
        "daemon=True).start()",
    ),
    attack(
        "processes",
        "set-user-ID programs",
        "import os\nos.execv('/bin/su', ['su', '--version'])",
        **uncontrolled("prints its own version, not the proof"),
    ),
]

_BLOCKS = "x = []\nwhile len(x) < 400:\n    x.append(bytearray(b'x' * (1 << 20)))"
MEMORY = [
    attack("memory", "one gigabyte", "x = bytearray(1 << 30)"),
    attack("memory", "in pieces", _BLOCKS),
    attack("memory", "shared mapping", "import mmap\nx = mmap.mmap(-1, 1 << 30)"),
    attack("memory", "memfd", "import os\nos.memfd_create('x')"),
    call("memory", "secret memory", "libc.syscall(447, 0)"),
    call(
        "memory",
        "System V shared memory",
        "(lambda n: (libc.shmctl(n, 0, None), n)[1])(libc.shmget(0, 1 << 29, 0o1600))",
    ),
    call("memory", "System V semaphores", "(lambda n: (libc.semctl(n, 0, 0), n)[1])(libc.semget(0, 100, 0o1600))"),
    call(
        "memory",
        "message queue",
        "(lambda n: (libc.mq_unlink(b'/amt'), n)[1])(libc.mq_open(b'/amt', 0o102, 0o600, None))",
    ),
    attack(
        "memory",
        "children with less each",
        "import os\nfor _ in range(4):\n    if os.fork() == 0:\n        x = b'x' * (100 << 20)\n        os._exit(0)",
    ),
    attack(
        "memory",
        "in the kernel, by pipes",
        "import fcntl, os\npipes, total = [], 0\nwhile total < 48 << 20:\n    pipes.append(os.pipe())\n"
        "    fcntl.fcntl(pipes[-1][1], 1031, 1 << 20)\n    total += os.write(pipes[-1][1], b'x' * (1 << 20))",
    ),
    attack(
        "memory",
        "raise its own limit",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nx = bytearray(1 << 30)",
    ),
    attack(
        "memory",
        "stack that overflows in C",
        "import ctypes\nctypes.string_at(0)",
        **uncontrolled("the program dies; what counts is the next run"),
    ),
    attack(
        "memory",
        "recursion without end",
        "import sys\nsys.setrecursionlimit(1 << 30)\ndef f(n): return f(n + 1) + 1\nf(0)",
        **uncontrolled("the program dies; what counts is the next run"),
    ),
    call("memory", "asynchronous input and output contexts", "libc.syscall(206, 100, ctypes.byref(ctypes.c_ulong()))"),
]

DISK = [
    attack(
        "disk", "one huge file", "f = open('big', 'wb')\nfor _ in range(100):\n    f.write(bytes(1 << 20))\nf.flush()"
    ),
    attack("disk", "a file with holes", "import os\nf = open('big', 'wb')\nos.ftruncate(f.fileno(), 1 << 30)"),
    attack("disk", "room reserved", "import os\nf = open('big', 'wb')\nos.posix_fallocate(f.fileno(), 0, 1 << 28)"),
    attack(
        "disk", "many files", "for n in range(100):\n    with open(str(n), 'wb') as f:\n        f.write(bytes(999_999))"
    ),
    attack("disk", "many descriptors", "import os\nfor _ in range(200):\n    os.dup(0)"),
    attack(
        "disk",
        "more descriptors than allowed",
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))",
    ),
    attack(
        "disk",
        "mapped and written beyond its limit",
        "import mmap, os\nf = os.open('m', os.O_CREAT | os.O_RDWR)\nos.truncate(f, 64 << 20)\nm = mmap.mmap(f, "
        "64 << 20)\nm[-1] = 1",
    ),
]

_LEFT = "import os\nassert os.listdir()"
LEFT = [
    attack(
        "left behind",
        "files of all kinds",
        "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w')\nopen('.hidden', 'w')\nos.mkfifo('fifo')\n"
        "os.link('.hidden', 'hard')",
        then=_LEFT,
    ),
    attack(
        "left behind",
        "names of odd bytes",
        "import os\nfor n in (b'\\xff\\xfe', b'a\\nb', b' ', b'-rf', b'*', b'\\x1b[2J', b'x' * 255):\n    open(n, 'w')",
        then=_LEFT,
    ),
    attack(
        "left behind",
        "folders closed to their owner",
        "import os\nos.makedirs('a/b/c')\nfor d in ('a/b/c', 'a/b', 'a'):\n    os.chmod(d, 0)",
        then=_LEFT,
    ),
    attack(
        "left behind",
        "the scratch folder itself closed",
        "import os\nopen('x', 'w')\nos.chmod('.', 0)",
        then="import os\nassert os.stat('.').st_mode & 0o777 != 0o777",
        **uncontrolled("only a shared folder of the grader's can be closed"),
    ),
    attack(
        "left behind",
        "a path too long to be named",
        "import os\nfor _ in range(3000):\n    os.mkdir('d' * 50)\n    os.chdir('d' * 50)",
        tame=("3000", "30"),
        then=_LEFT,
    ),
    attack(
        "left behind",
        "more empty files than can be removed in time",
        "import os\nn = 0\nwhile True:\n    os.close(os.open(str(n), os.O_CREAT))\n    n += 1",
        then=_LEFT,
        tame=("while True", "while n < 100"),
    ),
    attack(
        "left behind",
        "modules for the next program",
        "for m in ('json', 'heapq', 'solution', 'sitecustomize'):\n    open(m + '.py', 'w').write('raise SystemExit')",
        then=_LEFT,
    ),
    attack(
        "left behind",
        "compiled modules",
        "import os\nos.mkdir('__pycache__')\nopen('__pycache__/json.cpython-311.pyc', 'wb')",
        then=_LEFT,
    ),
    attack(
        "left behind",
        "a built-in function",
        "import builtins\nbuiltins.print = builtins.sorted = len",
        then="assert sorted is len\nimport os\nos.write(1, b'got ' + b'through')\nprint = str",
    ),
    attack(
        "left behind",
        "functions of modules",
        "import json, math, os\njson.dumps = json.loads = math.sqrt = str",
        then="import math\nassert math.sqrt is str",
    ),
    attack(
        "left behind",
        "a module of its own",
        "import sys, types\nsys.modules['evil'] = types.ModuleType('evil')",
        then="import evil",
    ),
    attack(
        "left behind",
        "the environment",
        "import os\nos.environ['EVIL'] = 'x'\nos.putenv('EVIL2', 'x')",
        then="import os\nassert 'EVIL' in os.environ",
    ),
    attack(
        "left behind",
        "umask, working folder, limits",
        "import os, resource\nos.mkdir('sub')\nos.chdir('sub')\nos.umask(0o777)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))",
        then="import os, resource\nassert os.umask(0) == 0o777 or resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 20",
    ),
    attack(
        "left behind",
        "signal handlers",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, [10])",
        then="import signal\nassert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN or signal.pthread_sigmask(0, "
        "[])",
    ),
    attack(
        "left behind",
        "locale and time zone",
        "import os, time\nos.environ['TZ'] = 'Asia/Kathmandu'\ntime.tzset()\nimport locale\n"
        "locale.setlocale(locale.LC_ALL, 'C')",
        then="import os, time\nassert os.environ.get('TZ') == 'Asia/Kathmandu' or time.timezone",
    ),
    attack(
        "left behind",
        "random numbers, recursion, decimal precision",
        "import decimal, random, sys\nrandom.seed(7)\nsys.setrecursionlimit(500)\ndecimal.getcontext().prec = 2",
        then="import decimal, sys\nassert decimal.getcontext().prec == 2 or sys.getrecursionlimit() == 500",
    ),
    attack(
        "left behind",
        "a thread that goes on",
        "import os, threading, time\ndef later():\n    time.sleep(0.5)\n    open('left', 'w')\n"
        "threading.Thread(target=later, daemon=True).start()",
        then="import os, time\n" + soon("os.path.exists('left')"),
    ),
    attack(
        "left behind",
        "exit handlers",
        "import atexit, os, sys\natexit.register(open, 'left', 'w')\nclass D:\n"
        "    def __del__(self): open('left2', 'w')\nsys.kept = D()",
        then="import sys\nassert hasattr(sys, 'kept')",
    ),
    attack(
        "left behind",
        "standard streams closed",
        "import os\nos.closerange(0, 64)",
        then="import os\ntry:\n    os.fstat(2)\nexcept OSError:\n    assert 0\nassert 0",
        **uncontrolled("what counts is that the next run has its streams"),
    ),
    attack(
        "left behind",
        "the processor of its parent",
        "import os\nfree = os.sched_getaffinity(0)\nos.sched_setaffinity(os.getppid(), {min(free)})\n"
        "assert len(free) > 1",
        then="import os\nassert len(os.sched_getaffinity(0)) < os.cpu_count()",
        **uncontrolled("the parent of a control does not outlive it"),
    ),
]

OUTPUT = [
    attack("output", "standard output", "import sys\nfor _ in range(64):\n    sys.stdout.write('x' * (1 << 20))"),
    attack("output", "standard error", "import sys\nfor _ in range(64):\n    sys.stderr.write('x' * (1 << 20))"),
    attack(
        "output",
        "the descriptor of results",
        "import os\nfor _ in range(64):\n    assert os.write(3, b'x' * (1 << 20)) == 1 << 20",
    ),
    attack(
        "output",
        "a hole in standard output",
        "import os\nos.ftruncate(1, 1 << 40)",
        **uncontrolled("a pipe cannot have a hole"),
    ),
    attack(
        "output",
        "ignoring the signal for it",
        "import os, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nfor _ in range(64):\n"
        "    assert os.write(2, b'x' * (1 << 20)) == 1 << 20",
    ),
    attack(
        "output",
        "a huge integer",
        "import sys\nsys.set_int_max_str_digits(0)\nprint(int('9' * 2_000_000, 16))",
        tame=("2_000_000", "2_000"),
    ),
]

_BURN = "import time\nwhile time.process_time() < 3:\n    {}"
TIME = [
    attack("time", "a loop", _BURN.format("pass")),
    attack("time", "a loop in C", _BURN.format("sum(range(1_000_000))")),
    attack(
        "time",
        "a loop that ignores signals and raises its limit",
        "import resource, signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\ntry:\n"
        "    resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))\nexcept ValueError:\n    pass\n" + _BURN.format("pass"),
    ),
    attack(
        "time",
        "threads that share it",
        "import threading, time, zlib\ndef burn():\n    while time.process_time() < 3:\n"
        "        zlib.compress(bytes(1 << 20))\nthreads = [threading.Thread(target=burn) for _ in range(4)]\n"
        "for t in threads: t.start()\nfor t in threads: t.join()",
    ),
    attack(
        "time",
        "sleep that ignores signals",
        "import signal, time\nfor n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\ntime.sleep(6)",
    ),
    attack(
        "time",
        "wait with all signals blocked",
        "import select, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nselect.select([], [], [], 6)",
    ),
    attack(
        "time",
        "stop itself",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        **uncontrolled("a stopped program proves nothing; what counts is the next run"),
    ),
    attack(
        "time",
        "a thread that is not waited for",
        "import threading, time\nthreading.Thread(target=lambda p=print: (time.sleep(6), p('got', 'through', "
        "flush=True))).start()\nimport os\nprint = str",
    ),
    attack(
        "time",
        "an exit handler that stays",
        "import atexit, time\natexit.register(lambda p=print: (time.sleep(6), p('got', 'through', flush=True)))\n"
        "print = str",
    ),
    attack(
        "time",
        "an object that will not die",
        "import time\nclass D:\n    def __del__(self, p=print, s=time.sleep):\n        s(6)\n        p('got', "
        "'through', flush=True)\nd = D()\nprint = str",
    ),
]

PYTHON = [*NETWORK, *FILES, *SECRETS, *PROCESSES, *MEMORY, *DISK, *LEFT, *OUTPUT, *TIME]
