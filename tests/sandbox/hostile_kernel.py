"""Python programs that go for the kernel and for other processes; see tests/sandbox/hostile_python.py."""

from tests.sandbox.hostile_python import LIBC, attack, call, soon, uncontrolled

KERNEL = [
    call("kernel", "user namespace", "-(libc.unshare(0x10000000) != 0)"),
    call(
        "kernel",
        "user namespace by clone",
        "(lambda n: n or os._exit(0))(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0))",
    ),
    call("kernel", "other namespaces", "-(libc.unshare(0x04000000) != 0)", control="root"),
    call("kernel", "time namespace", "-(libc.unshare(0x80) != 0)", control="root"),
    call("kernel", "enter a namespace", "-(libc.setns(os.open('/proc/self/ns/uts', 0), 0) != 0)", control="root"),
    attack(
        "kernel",
        "mount",
        f"{LIBC}os.mkdir('m')\nassert libc.mount(b'none', b'm', b'tmpfs', 0, None) == 0\nlibc.umount2(b'm', 2)",
        control="root",
    ),
    call("kernel", "a new file system", "libc.syscall(430, b'tmpfs', 0)", control="root"),
    attack("kernel", "chroot", "import os\nos.chroot('.')", control="root"),
    call("kernel", "io_uring", "libc.syscall(425, 1, bytes(120))"),
    call("kernel", "bpf", "libc.syscall(321, 0, (ctypes.c_uint32 * 30)(2, 4, 4, 1), 72)", control="root"),
    call("kernel", "keyring", "libc.syscall(250, 0, -2, 1)"),
    call("kernel", "userfaultfd", "libc.syscall(323, 1)"),
    call(
        "kernel",
        "performance counters",
        "libc.syscall(298, (ctypes.c_uint32 * 32)(1, 128, 0), 0, -1, -1, 0)",
        control="root",
    ),
    call("kernel", "trace itself", "libc.ptrace(0, 0, 0, 0)"),
    call("kernel", "compare processes", "libc.syscall(312, os.getpid(), os.getpid(), 2, 0, 0)"),
    call("kernel", "personality", "libc.personality(0x0040000)"),
    call("kernel", "descriptor table entries", "libc.syscall(154, 0, ctypes.create_string_buffer(64), 64)"),
    call("kernel", "log of the kernel", "libc.klogctl(10, None, 0)", control="root"),
    call(
        "kernel",
        "files by handle",
        "libc.syscall(303, -100, b'/', (ctypes.c_uint32 * 64)(128), ctypes.byref(ctypes.c_int()), 0)",
    ),
    call("kernel", "watch the file system", "libc.fanotify_init(0, 0)", control="root"),
    call("kernel", "write back all disks", "-(libc.syscall(162) != 0)"),
    call("kernel", "forget the filter", "-(libc.prctl(22, 0) != 0)", **uncontrolled("the kernel refuses it always")),
    attack("kernel", "become root", "import os\nos.setuid(0)", control="root"),
    attack(
        "kernel",
        "root by its user namespace",
        "open('/proc/self/uid_map', 'wb', 0).write(b'0 0 1')",
        **uncontrolled("the map of the first namespace is fixed"),
    ),
    attack("kernel", "other groups", "import os\nos.setgroups([0])", control="root"),
    attack("kernel", "name of the host", "import socket\nsocket.sethostname(socket.gethostname())", control="root"),
    attack("kernel", "the clock", "import time\ntime.clock_settime(time.CLOCK_REALTIME, time.time())", control="root"),
    call("kernel", "the clock, adjusted", "libc.adjtimex(ctypes.create_string_buffer(512))"),
    attack("kernel", "priority", "import os\nos.nice(1)"),
    attack("kernel", "real-time scheduling", "import os\nos.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"),
    call("kernel", "priority of input and output", "libc.syscall(251, 1, 0, 0x4007)"),
    call("kernel", "ports", "libc.ioperm(0x80, 1, 1)", **uncontrolled("not every kernel has it")),
    call(
        "kernel",
        "32-bit system calls",
        "(lambda m: (m.write(bytes.fromhex('b814000000cd80c3')), ctypes.CFUNCTYPE(ctypes.c_int)"
        "(ctypes.addressof(ctypes.c_char.from_buffer(m)))())[1])(__import__('mmap').mmap(-1, 4096, prot=7))",
    ),
    call(
        "kernel",
        "system calls of the x32 kind",
        "libc.syscall(0x40000000 + 39)",
        **uncontrolled("most kernels are built without them"),
    ),
]

OTHERS = [
    attack(
        "other processes",
        "kill its parent",
        "import os, signal, time\nparent = os.getppid()\nfor n in (15, 2, 1, 9):\n    try:\n"
        "        os.kill(parent, n)\n    except OSError:\n        pass\n" + soon("os.getppid() != parent"),
    ),
    attack(
        "other processes",
        "stop its parent",
        "import os, signal, time\nos.kill(os.getppid(), signal.SIGSTOP)\n"
        + soon("') T' in open(f'/proc/{os.getppid()}/stat').read()")
        + "\nos.kill(os.getppid(), signal.SIGCONT)",
    ),
    attack(
        "other processes",
        "all signals to all",
        "import os\nfor n in range(1, 65):\n    for p in (-1, 0, 1):\n        try:\n            os.kill(p, n)\n"
        "        except OSError:\n            pass",
        **uncontrolled("would end every process of this user"),
    ),
    attack(
        "other processes",
        "limits of its parent",
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (16, 16))",
    ),
    attack("other processes", "trace its parent", f"{LIBC}assert libc.ptrace(0x4206, os.getppid(), 0, 0) == 0"),
    call(
        "other processes",
        "read memory by process",
        "(lambda n, v: libc.process_vm_readv(n, v, 1, v, 1, 0))(os.getpid(), (ctypes.c_void_p * 2)(id(libc), 8))",
    ),
    call("other processes", "a handle on its parent", "libc.syscall(434, os.getppid(), 0)"),
    attack("other processes", "priority of its parent", "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 5)"),
    attack(
        "other processes",
        "be killed last",
        "open('/proc/self/oom_score_adj', 'wb', 0).write(b'-1000')",
        **uncontrolled("needs CAP_SYS_RESOURCE, which a container's root lacks"),
    ),
    attack(
        "other processes",
        "see the host's processes",
        "import os\nassert len([n for n in os.listdir('/proc') if n.isdigit()]) > 2",
    ),
    attack(
        "other processes",
        "a terminal",
        "import os\nos.open('/dev/tty', os.O_RDWR)",
        **uncontrolled("tests have no terminal"),
    ),
]
