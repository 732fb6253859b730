"""C++ programs that want out, and sources that want to hurt or use the compiler.

A program's `attack` returns whether it did what it must not do; what a source makes the compiler do must end in no
executable, or in one that prints no proof.
"""

from tests.sandbox.attack import CPP, Attack


def _attack(family: str, name: str, body: str, **more) -> Attack:
    """The body of a function that returns true if it got through."""
    then = more.pop("then", "")
    ends = "attack();" if then else "if (attack()) proof();"
    return Attack(name, family, "cpp", _program(body, ends), then=then and _program(then), **more)


def _program(body: str, main: str = "if (attack()) proof();") -> str:
    return f"{CPP}bool attack() {{ {body} }}\nint main() {{ {main} }}\n"


def _source(name: str, text: str, **more) -> Attack:
    """A whole source text; a program from it that is run proves that it was translated."""
    return Attack(f"compile: {name}", "compilation", "cpp", text, kind="compile", **more)


def _uncontrolled(why: str) -> dict:
    return {"control": "none", "why_no_control": why}


def _soon(condition: str) -> str:
    """Within 3 s, what is to happen beside the program."""
    return f"for (int n = 0; n < 30; n++) {{ if ({condition}) return true; usleep(100000); }} return false;"


_CHILD = "if (n == 0) _exit(0); if (n > 0) waitpid(n, nullptr, 0); return n > 0;"
_ARGUMENTS = 'char* a[] = {(char*)"sh", (char*)"-c", (char*)"echo got through", nullptr};'
_PYTHON = (
    'char* a[] = {(char*)"python", (char*)"-c", (char*)"print(\'got\', \'through\')", nullptr};char* e[] = {nullptr};'
)


PROCESSES = [
    _attack("processes", "C++: fork", f"int n = fork(); {_CHILD}"),
    _attack("processes", "C++: vfork", f"int n = vfork(); {_CHILD}"),
    _attack("processes", "C++: clone", f"int n = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); {_CHILD}"),
    _attack(
        "processes",
        "C++: clone3",
        f"unsigned long c[8] = {{0, 0, 0, 0, SIGCHLD}}; int n = syscall(SYS_clone3, c, 64); {_CHILD}",
    ),
    _attack(
        "processes",
        "C++: clone into a namespace",
        f"int n = syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0); {_CHILD}",
    ),
    _attack(
        "processes",
        "C++: posix_spawn",
        f'{_ARGUMENTS} pid_t n = 0; posix_spawn(&n, "/bin/sh", nullptr, nullptr, a, environ); '
        f"if (n > 0) waitpid(n, nullptr, 0); return false;",
    ),
    _attack("processes", "C++: system", 'return system("echo got through") == 0;'),
    _attack(
        "processes",
        "C++: popen",
        'char b[9] = {}; FILE* f = popen("echo x", "r"); return f && fgets(b, 9, f) && b[0] == \'x\';',
    ),
    _attack("processes", "C++: execve of a shell", f'{_ARGUMENTS} execve("/bin/sh", a, environ); return false;'),
    _attack("processes", "C++: execve of the interpreter", f'{_PYTHON} execve("@PYTHON@", a, e); return false;'),
    _attack(
        "processes",
        "C++: execve of the loader",
        'char* a[] = {(char*)"ld", (char*)"@PYTHON@", (char*)"-c", (char*)"print(\'got\', \'through\')", nullptr};'
        'execve("/lib64/ld-linux-x86-64.so.2", a, environ); return false;',
    ),
    _attack(
        "processes",
        "C++: execve of itself",
        'if (getenv("AGAIN")) return true; char* a[] = {(char*)"x", nullptr}; char* e[] = {(char*)"AGAIN=1", '
        'nullptr}; execve("/proc/self/exe", a, e); return false;',
    ),
    _attack(
        "processes",
        "C++: execve of a file it wrote",
        'ofstream("x") << "#!/bin/sh\\necho got through\\n"; chmod("x", 0755); char* a[] = {(char*)"x", '
        'nullptr}; execve("./x", a, environ); return false;',
    ),
    _attack(
        "processes",
        "C++: another program in its place, to fork there",
        'char* a[] = {(char*)"python", (char*)"-c", (char*)"import os\\nos.fork() or os._exit(0)\\n'
        "print('got', 'through')\", nullptr};"
        'char* e[] = {nullptr}; for (int fd : {AT_FDCWD, 200}) syscall(SYS_execveat, fd, "@PYTHON@", a, e, '
        "0x1000); return false;",
    ),
    _attack(
        "processes",
        "C++: a thousand threads",
        "vector<thread> t; for (int i = 0; i < 1000; i++) t.emplace_back([] { sleep(1); }); "
        "for (auto& x : t) x.join(); return true;",
    ),
    _attack(
        "processes",
        "C++: a daemon that waits for the next test",
        'if (fork() == 0) { setsid(); sleep(1); ofstream("here") << 1; _exit(0); } return true;',
        then=_soon('ifstream("here").good()'),
    ),
]

OTHERS = [
    _attack(
        "network",
        "C++: loopback",
        "int s = socket(AF_INET, SOCK_STREAM, 0); sockaddr_in a{}; a.sin_family = AF_INET; "
        "a.sin_port = htons(@PORT@); a.sin_addr.s_addr = htonl(INADDR_LOOPBACK); return connect(s, "
        "(sockaddr*)&a, sizeof a) == 0;",
    ),
    _attack(
        "network",
        "C++: abstract socket of the host",
        "int s = socket(AF_UNIX, SOCK_STREAM, 0); sockaddr_un a{}; a.sun_family = AF_UNIX; "
        'const char* n = "@ABSTRACT@"; strcpy(a.sun_path + 1, n); return connect(s, (sockaddr*)&a, '
        "offsetof(sockaddr_un, sun_path) + 1 + strlen(n)) == 0;",
    ),
    _attack(
        "network",
        "C++: a pair of sockets that reach out",
        "int s[2]; return socketpair(AF_TIPC, SOCK_SEQPACKET, 0, s) == 0;",
        **_uncontrolled("not every kernel has it"),
    ),
    _attack("host files", "C++: the file with the tests", 'cout << ifstream("@SECRET@").rdbuf(); return false;'),
    _attack("host files", "C++: write to a file outside", 'ofstream f("@VICTIM@"); f << "x"; return f.good();'),
    _attack("host files", "C++: a device", 'return mknod("n", S_IFCHR | 0666, makedev(1, 3)) == 0;', control="root"),
    _attack(
        "secrets",
        "C++: environment",
        'for (char** e = environ; *e; e++) puts(*e); cout << ifstream("/proc/self/environ").rdbuf(); return false;',
    ),
    _attack(
        "secrets",
        "C++: environment of the parent",
        'ifstream f("/proc/" + to_string(getppid()) + "/environ"); return f.get() != EOF;',
    ),
    _attack(
        "secrets",
        "C++: descriptors left open",
        "for (int n = 3; n < 1024; n++) if (fcntl(n, F_GETFD) >= 0) return true; return false;",
    ),
    _attack("memory", "C++: one gigabyte", "char* p = (char*)malloc(1ul << 30); return p && (p[1 << 29] = 1);"),
    _attack(
        "memory",
        "C++: in pieces",
        "for (int i = 0; i < 400; i++) { char* p = (char*)malloc(1 << 20); if (!p) return false; memset(p, 1, "
        "1 << 20); } return true;",
    ),
    _attack(
        "memory",
        "C++: shared mapping",
        "void* p = mmap(0, 1ul << 30, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); "
        "return p != MAP_FAILED;",
    ),
    _attack(
        "memory",
        "C++: the stack",
        "struct R { static int f(int n) { volatile char b[1 << 20]; memset((void*)b, n, sizeof b); "
        "return n ? f(n - 1) + b[7] : 0; } }; rlimit l{RLIM_INFINITY, RLIM_INFINITY}; setrlimit(RLIMIT_STACK, "
        "&l); return R::f(400) != 12345;",
        tame=("R::f(400)", "R::f(2)"),
    ),
    _attack("memory", "C++: memfd", 'return syscall(SYS_memfd_create, "x", 0) >= 0;'),
    _attack(
        "disk",
        "C++: many files",
        "string block(999999, 'x'); for (int i = 0; i < 60; i++) { ofstream f(to_string(i)); f << block; "
        "f.close(); if (!f) return false; } return true;",
    ),
    _attack(
        "output",
        "C++: standard output",
        "signal(SIGXFSZ, SIG_IGN); string b(1 << 20, 'x'); for (int i = 0; i < 64; i++) if (write(1, b.data(), "
        "b.size()) != 1 << 20) return false; return true;",
    ),
    _attack("time", "C++: a loop", "while (clock() < 3 * CLOCKS_PER_SEC) {} return true;"),
    _attack(
        "time",
        "C++: a loop that ignores signals",
        "for (int n = 1; n < 65; n++) signal(n, SIG_IGN); rlimit l{RLIM_INFINITY, RLIM_INFINITY}; "
        "setrlimit(RLIMIT_CPU, &l); while (clock() < 3 * CLOCKS_PER_SEC) {} return true;",
    ),
    _attack(
        "time",
        "C++: sleep with all signals blocked",
        "sigset_t s; sigfillset(&s); sigprocmask(SIG_BLOCK, &s, nullptr); sleep(6); return true;",
    ),
    _attack("kernel", "C++: namespaces", "return unshare(CLONE_NEWUSER) == 0;"),
    _attack(
        "kernel", "C++: 32-bit system calls", 'int r; asm volatile("int $0x80" : "=a"(r) : "a"(20)); return r > 0;'
    ),
    _attack("kernel", "C++: io_uring", "char p[120] = {}; return syscall(SYS_io_uring_setup, 1, p) >= 0;"),
    _attack("kernel", "C++: trace itself", "return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;"),
    _attack(
        "kernel",
        "C++: the clock",
        "timespec t; clock_gettime(CLOCK_REALTIME, &t); return clock_settime(CLOCK_REALTIME, &t) == 0;",
        control="root",
    ),
    _attack("kernel", "C++: raise its own limits", "rlimit l{200, 200}; return setrlimit(RLIMIT_NOFILE, &l) == 0;"),
    _attack(
        "other processes",
        "C++: kill its parent",
        "int p = getppid(); kill(p, SIGTERM); kill(p, SIGKILL); " + _soon("getppid() != p"),
    ),
    _attack(
        "other processes",
        "C++: all signals to all",
        "for (int n = 1; n < 65; n++) { kill(-1, n); kill(0, n); } return false;",
        **_uncontrolled("would end every process of this user"),
    ),
    _attack(
        "other processes",
        "C++: limits of its parent",
        "rlimit l{16, 16}; return prlimit(getppid(), RLIMIT_NOFILE, &l, nullptr) == 0;",
    ),
    _attack(
        "left behind",
        "C++: files and folders",
        'mkdir("a", 0700); ofstream("a/b") << 1; chmod("a", 0); symlink("@DIR@", "link"); mkfifo("fifo", 0600); '
        "return true;",
        then='return access("a", F_OK) == 0 || access("fifo", F_OK) == 0;',
    ),
    _attack(
        "left behind",
        "C++: the program changed for its next run",
        'int f = open("/proc/self/exe", O_RDWR); if (f < 0) f = open("/proc/self/exe", O_WRONLY | O_TRUNC); '
        "return f >= 0;",
        **_uncontrolled("an executable that runs is busy everywhere"),
    ),
]

_PROVE = '#include <cstdio>\nint main() { puts("got" " through"); }\n'
_TEXT = (
    "#include <cstdio>\nextern const char text[], text_end;\nint main() { fwrite(text, 1, &text_end - text, stdout); "
    "}\n"
)

_TEMPLATES = (
    "template <int N, int M> struct T { static const int v = T<N - 1, M>::v + T<N - 1, M + (1 << (N - 1))>::v; };\n"
    "template <int M> struct T<0, M> { static const int v = 1; };\n"
)


COMPILATION = [
    _source("#include /dev/zero", '#include "/dev/zero"\n' + _PROVE, tame=("/dev/zero", "/dev/null")),
    _source("#include /dev/random", '#include "/dev/urandom"\n' + _PROVE, tame=("/dev/urandom", "/dev/null")),
    _source("#include /dev/tty", '#include "/dev/tty"\n' + _PROVE, tame=("/dev/tty", "/dev/null")),
    _source("#include /etc/passwd", '#include "/etc/passwd"\n'),
    _source("#include the tests", '#include "@SECRET@"\nint main() {}\n'),
    _source(
        "the tests as text",
        'asm(".globl text\\ntext: .incbin \\"@SECRET@\\"\\n.globl text_end\\ntext_end: .byte 0");\n' + _TEXT,
    ),
    _source(
        "/etc/passwd as text",
        'asm(".globl text\\ntext: .incbin \\"/etc/passwd\\"\\n.globl text_end\\ntext_end: .byte 0");\n' + _TEXT,
    ),
    _source("an assembler's include", 'asm(".include \\"/etc/passwd\\"");\nint main() {}\n'),
    _source(
        "/dev/zero included by the assembler",
        'asm(".include \\"/dev/zero\\"");\n' + _PROVE,
        tame=("/dev/zero", "/dev/null"),
    ),
    _source(
        "what is there",
        f'#if __has_include("@SECRET@") || __has_include("/etc/passwd")\n{_PROVE}#else\nint main() {{}}\n#endif\n',
    ),
    _source(
        "templates without end",
        "template <int N> struct T { static const int v = T<N + 1>::v; };\n" + _PROVE + "int x = T<0>::v;\n",
        tame=("T<N + 1>::v", "N"),
    ),
    _source("templates that double", _TEMPLATES + _PROVE + "int x = T<24, 0>::v;\n", tame=("T<24, 0>", "T<4, 0>")),
    _source(
        "a constexpr loop",
        "constexpr int f() { int s = 0; for (long i = 0; i < 40'000'000'000; i++) s ^= i; return s; }\n"
        "constexpr int x = f();\n" + _PROVE,
        tame=("40'000'000'000", "400"),
    ),
    _source(
        "constexpr loops within their limits",
        "template <int K> constexpr int f() { int s = K; for (int i = 0; i < 200'000; i++) for (int j = 0; "
        "j < 10; j++) s ^= i * j; return s; }\n"
        + "".join(f"constexpr int x{k} = f<{k}>();\n" for k in range(50))
        + _PROVE,
        tame=("200'000", "2"),
    ),
    _source(
        "macros that double",
        "#define A(x) x x\n"
        + "".join(f"#define {b}(x) {a}({a}(x))\n" for a, b in zip("ABCDE", "BCDEF"))
        + "int v = F(+1);\n"
        + _PROVE,
        tame=("F(+1)", "A(+1)"),
    ),
    _source("an array of two gigabytes", "char x[1ul << 31] = {1};\n" + _PROVE, tame=("1ul << 31", "9")),
    _source(
        "a repeated block of assembly",
        'asm(".data\\n.rept 2000000000\\n.quad 1\\n.endr\\n.text");\n' + _PROVE,
        tame=("2000000000", "2"),
    ),
    _source(
        "a hole of a terabyte", 'asm(".data\\n.skip 1099511627776\\n.text");\n' + _PROVE, tame=("1099511627776", "16")
    ),
    _source(
        "an alignment beyond all",
        'asm(".data\\n.byte 1\\n.balign 2147483648\\n.text");\n' + _PROVE,
        tame=("2147483648", "16"),
    ),
    _source(
        "an error of a million lines",
        "".join(f"int a{n} = b{n};\n" for n in range(20_000)) + _PROVE,
        **_uncontrolled("it is not a program"),
    ),
    _source(
        "brackets without end",
        f"int x = {'(' * 200_000}1{')' * 200_000};\n" + _PROVE,
        **_uncontrolled("no compiler translates it"),
    ),
    _source("includes itself", "#include __FILE__\n" + _PROVE, tame=("#include __FILE__", "")),
    _source(
        "a header that includes itself twice",
        "#ifndef N\n#define N 0\n#endif\n#if __INCLUDE_LEVEL__ < 60\n#include __FILE__\n#include __FILE__\n"
        "#endif\n#if __INCLUDE_LEVEL__ == 0\n" + _PROVE + "#endif\n",
        tame=("< 60", "< 6"),
    ),
    _source(
        "a loader of its own",
        'asm(".section .interp,\\"a\\"\\n.string \\"/scratch/evil\\"\\n.text");\n' + _PROVE,
        tame=("/scratch/evil", "/lib64/ld-linux-x86-64.so.2"),
    ),
    _source(
        "a constructor that forks before main",
        "#include <cstdio>\n#include <unistd.h>\nint n;\n"
        "__attribute__((constructor(101))) void first() { n = fork(); if (n == 0) _exit(0); }\n"
        'int main() { if (n > 0) puts("got" " through"); }\n',
    ),
    _source(
        "an entry of its own before all others",
        "#include <cstdio>\n#include <unistd.h>\nstatic int n;\nstatic void first() { n = vfork(); "
        'if (n == 0) _exit(0); }\n__attribute__((section(".preinit_array"), '
        'used)) static void (*entry)() = first;\nint main() { if (n > 0) puts("got" " through"); }\n',
    ),
]

CPP_ATTACKS = [*PROCESSES, *OTHERS, *COMPILATION]
