"""The seccomp filter of a test: no new processes or programs, no network, no kernel interfaces beyond plain files.

Threads stay allowed (programs start one for a deeper stack), so do pipes, and socketpair with what goes through it
without an address (asyncio wakes its loop so). Not sendmsg: its address is out of a filter's sight.
A compiled program must be executed once: from EXECUTABLE, a descriptor that lies above the limit on open files, so that
the program itself can never put anything there again. A compiler may start processes and programs; it has a PID
namespace of its own and goes as a whole.
"""

import errno
import fcntl
import resource
import signal
import socket
import tempfile
from typing import Literal

from amt.sandbox.zygote import EXECUTABLE

Kind = Literal["python", "binary", "compiler"]
"""What a worker runs: Python programs, executables, or a compiler."""
KINDS: tuple[Kind, ...] = ("python", "binary", "compiler")

METADATA = """
chmod fchmod fchmodat chown fchown lchown fchownat utime utimes futimesat utimensat
setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
"""
"""Of files that somebody else can see: refused where the isolation shows the host's."""
NEWER = range(452, 600)
"""Numbers of calls that came after this list, the same on every architecture; some of them change metadata too."""

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
_AT_EMPTY_PATH = 0x1000
_INT = 0xFFFFFFFF
"""The part of a 64-bit argument that the kernel reads of an int."""
_SIGNAL_ARGUMENT = {"kill": 1, "tkill": 1, "tgkill": 2, "rt_sigqueueinfo": 1, "rt_tgsigqueueinfo": 2}

PROCESSES = "fork vfork execve execveat"
DENIED = """
socket connect bind listen accept accept4 sendmsg sendmmsg recvmmsg
io_uring_setup io_uring_enter io_uring_register io_setup io_submit
inotify_init inotify_init1 inotify_add_watch flock sync syncfs
ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
pidfd_open pidfd_getfd pidfd_send_signal
bpf perf_event_open userfaultfd fanotify_init
add_key request_key keyctl
unshare setns mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr
memfd_create memfd_secret shmget shmat shmctl semget semop semctl msgget msgsnd msgrcv mq_open
name_to_handle_at open_by_handle_at
init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct quotactl
quotactl_fd syslog
settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname iopl ioperm modify_ldt
setpriority ioprio_set sched_setscheduler sched_setattr sched_setparam sched_setaffinity
migrate_pages move_pages mbind set_mempolicy personality vhangup lookup_dcookie nfsservctl uselib
"""


def compiled(kind: Kind, *, apart: bool = True) -> bytes | None:
    """The filter as a BPF program for this machine; None where libseccomp is missing.

    Args:
        apart: the test has a file system and process numbers of its own.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError):
        return None
    allowed = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    refuse = pyseccomp.ERRNO(errno.EPERM)
    for name in f"{DENIED} {'' if kind == 'compiler' else PROCESSES} {'' if apart else METADATA}".split():
        if kind == "binary" and name == "execveat":
            continue
        try:
            pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
        except ValueError:  # not on this architecture, or newer than the library
            continue
        allowed.add_rule(refuse, name)
    if kind == "compiler":
        for flag in _CLONE_NAMESPACES:
            allowed.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    else:
        allowed.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0))
        # SIGKILL is left to the kernel: a test that dies of it below its CPU limit is known not to be at fault. A timer
        # names its signal in memory, out of a filter's sight; CPU limits end in SIGKILL too.
        for name, number in _SIGNAL_ARGUMENT.items():
            allowed.add_rule(refuse, name, pyseccomp.Arg(number, pyseccomp.MASKED_EQ, _INT, signal.SIGKILL))
        sets_signal = pyseccomp.Arg(1, pyseccomp.MASKED_EQ, _INT, fcntl.F_SETSIG)
        allowed.add_rule(refuse, "fcntl", sets_signal, pyseccomp.Arg(2, pyseccomp.MASKED_EQ, _INT, signal.SIGKILL))
        allowed.add_rule(refuse, "timer_create", pyseccomp.Arg(1, pyseccomp.NE, 0))
        allowed.add_rule(refuse, "setrlimit", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _INT, resource.RLIMIT_CPU))
        of_cpu = pyseccomp.Arg(1, pyseccomp.MASKED_EQ, _INT, resource.RLIMIT_CPU)
        allowed.add_rule(refuse, "prlimit64", of_cpu, pyseccomp.Arg(2, pyseccomp.NE, 0))
    if kind == "binary":
        allowed.add_rule(refuse, "execveat", pyseccomp.Arg(0, pyseccomp.NE, EXECUTABLE))
        allowed.add_rule(refuse, "execveat", pyseccomp.Arg(4, pyseccomp.NE, _AT_EMPTY_PATH))
    if not apart:
        for number in NEWER:
            allowed.add_rule(pyseccomp.ERRNO(errno.ENOSYS), number)
    # Its flags are out of a filter's sight; libc then uses clone.
    allowed.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    for name in ("sendto", "recvfrom"):  # libc's send and recv are these, with no address
        allowed.add_rule(refuse, name, pyseccomp.Arg(4, pyseccomp.NE, 0))
    allowed.add_rule(refuse, "socketpair", pyseccomp.Arg(0, pyseccomp.NE, socket.AF_UNIX))
    allowed.add_rule(refuse, "prlimit64", pyseccomp.Arg(0, pyseccomp.NE, 0))  # another process's limits
    with tempfile.TemporaryFile() as file:
        allowed.export_bpf(file)
        file.seek(0)
        return file.read()
