"""Programs in C++ and C: compiled once, in a sandbox, and run under the limits of every test.

Without g++ and gcc these tests fail with the command that installs them.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amt.sandbox import compiling
from amt.sandbox.compiling import Cache
from amt.sandbox.execution import Input, Limits
from amt.sandbox.judging import Case, Submission, judge
from amt.sandbox.languages import LANGUAGES, language_of
from amt.sandbox.runner import COMPILING, Compiling, Sandbox

LIMITS = Limits(cpu_seconds=2.0, wall_seconds=10.0, memory_mb=256, output_bytes=10_000_000)
PATIENT = replace(COMPILING, cpu_seconds=120.0)
"""Where a program is to compile: a slow machine takes ten times as long."""
ALL = "#include <bits/stdc++.h>\nusing namespace std;\n"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(LIMITS, workers=2, compiling=PATIENT) as sandbox:
        yield sandbox


def verdict(sandbox, code, *cases, language="cpp"):
    """(outcome, reason) of a program on (standard input, expected output) pairs."""
    submission = Submission(language, code, tuple(Case(Input("stdin", stdin=a), b) for a, b in cases))
    (judged,) = sandbox.map(judge, [submission])
    return judged.outcome, judged.reason


def load(sandbox, code, language="cpp"):
    return sandbox.map(lambda runner, code: runner.load(language, code), [code])[0]


@pytest.mark.parametrize("label", ["cpp", "C++", "cxx", "cc", "cpp20", "c++20"])
def test_labels(label):
    assert language_of(label) == "cpp"


MACROS = {"c++11": "201103L", "C++14": "201402L", "cpp17": "201703L", "c++20": "202002L", "cpp": "202002L"}
MACROS_OF_C = {"c99": "199901L", "c11": "201112L", "c17": "201710L", "c": "201710L"}


@pytest.mark.parametrize("label", MACROS)
def test_a_label_says_the_standard(label, sandbox):
    """The language's own macro, with the values of the standards' texts."""
    code = f"#include <iostream>\nint main() {{ std::cout << (__cplusplus == {MACROS[label]}); }}"
    assert verdict(sandbox, code, ("", "1"), language=language_of(label)) == ("passed", None)


@pytest.mark.parametrize("label", MACROS_OF_C)
def test_a_label_says_the_standard_of_c(label, sandbox):
    code = f"#include <stdio.h>\nint main(void) {{ putchar('0' + (__STDC_VERSION__ == {MACROS_OF_C[label]})); }}"
    assert verdict(sandbox, code, ("", "1"), language=language_of(label)) == ("passed", None)


def test_what_a_later_standard_forbids_compiles_under_its_own(sandbox):
    """ssize is std's since C++20, and u8 text is of another type."""
    code = (
        f"{ALL}template <class T> int ssize(const T& v) {{ return v.size(); }}\n"
        'int main() { string s = u8"x"; vector<int> v(7); cout << ssize(v) << s; }'
    )
    assert verdict(sandbox, code, ("", "7x"), language=language_of("c++17")) == ("passed", None)
    assert verdict(sandbox, code, ("", "7x"))[0] == "failed"


def test_the_languages_of_this_machine_are_known(sandbox):
    assert sandbox.languages == tuple(LANGUAGES)


def lines(count):
    return "".join(f"{n}\n" for n in range(count))


SUM_1000 = (" ".join(map(str, range(100_000))), str(sum(range(100_000))))

PASSING = {
    "several cases": ("int main() { int a, b; cin >> a >> b; cout << a + b; }", ("1 2", "3"), ("-5 5\n", "0\n")),
    "no standard header first": ("namespace x { int y = 4; }\nint main() { cout << x::y; }", ("", "4")),
    "C++20": ("int main() { set<int> s{3}; cout << s.contains(3) << (1 <=> 2 < 0); }", ("", "11")),
    "much input by cin": ("int main() { long long s = 0, x; while (cin >> x) s += x; cout << s; }", SUM_1000),
    "much input by scanf": (
        'int main() { long long s = 0, x; while (scanf("%lld", &x) == 1) s += x; cout << s; }', SUM_1000
    ),
    "a million lines": (
        "int main() { for (int i = 0; i < 1000000; i++) cout << i << '\\n'; }", ("", lines(1_000_000))
    ),
    "many flushed lines": ("int main() { for (int i = 0; i < 100000; i++) cout << i << endl; }", ("", lines(100_000))),
    "recursion a million deep": (
        "int f(volatile int n) { volatile int x = n; return n ? f(n - 1) + (x & 1) : 0; }\n"
        "int main() { cout << f(1000000); }",
        ("", "500000"),
    ),
    "most of the memory": ("int main() { vector<char> v(200 << 20, 1); cout << v[12345] + 0; }", ("", "1")),
    "int as long long": (
        "#define int long long\nsigned main() { int x = 1; for (int i = 0; i < 40; i++) x *= 2; cout << x; }",
        ("", "1099511627776"),
    ),
    "a file of its own": (
        'int main() { ofstream("x") << 42; int n; ifstream("x") >> n; cout << n; }', ("", "42"), ("", "42")
    ),
    "/dev/stdin": ('int main() { ifstream in("/dev/stdin"); int n; in >> n; cout << n; }', ("7", "7")),
    "freopen of nothing": ('int main() { assert(!freopen("none.txt", "r", stdin)); puts("x"); }', ("", "x")),
    "the locale and the clock": (
        'int main() { time_t t = 0; cout << getenv("LANG") << getenv("TZ") << localtime(&t)->tm_hour; }',
        ("", "C.UTF-8UTC0"),
    ),
    "everything included twice": (f"{ALL}int main() {{ cout << vector{{1}}.size(); }}", ("", "1")),
    "everything included late": (f"int x;\n{ALL}int main() {{ cout << vector{{1}}.size(); }}", ("", "1")),
    "the judge's macro": ('int main() {\n#ifdef ONLINE_JUDGE\nputs("judge");\n#endif\n}', ("", "judge")),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
def test_a_right_program_passes(sandbox, name):
    code, *cases = PASSING[name]
    assert verdict(sandbox, ALL + code, *cases) == ("passed", None)


FAILING = {
    "wrong": ("int main() { cout << 4; }", "test 1 of 1: wrong output"),
    "exit status": ("int main() { cout << 3; return 3; }", "test 1 of 1: exit status 3"),
    "assertion": ("int main() { cout << 3 << flush; assert(1 == 2); }", "test 1 of 1: killed"),
    "segmentation fault": ("int main() { cout << 3 << flush; *(volatile int*)8 = 1; }", "test 1 of 1: killed"),
    "endless": ("int main() { cout << 3 << flush; for (volatile int x = 0;;) x++; }", "test 1 of 1: cpu_limit"),
    "too much memory": ("int main() { vector<char> v(1 << 30, 1); cout << 3 + v[9] - 1; }", "test 1 of 1: killed"),
    "endless recursion": (
        "int f(volatile int n) { volatile int x = n; return f(n + 1) + x; }\nint main() { cout << f(0); }",
        "test 1 of 1: killed",
    ),
    "too much output": ("int main() { for (;;) puts(string(1000, 'x').c_str()); }", "test 1 of 1: output_limit"),
    "huge array": ("char a[1 << 30];\nint main() { a[rand()] = 1; cout << 3; }", "test 1 of 1: killed"),
    "no main": ("int f() { return 3; }", "does not compile: .*undefined reference"),
    "syntax": ("int main() { cout << 3 }", r"does not compile: solution.cpp:3:23: error: expected ';'.*"),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_wrong_program_fails_for_the_right_reason(sandbox, name):
    code, reason = FAILING[name]
    outcome, found = verdict(sandbox, ALL + code, ("", "3"))
    assert outcome == "failed"
    assert found == reason or re.match(reason, found), found


def test_sleep_ends_at_the_wall_limit():
    with Sandbox(Limits(1.0, 1.0, 256, 1000), workers=1, compiling=PATIENT) as sandbox:
        assert verdict(sandbox, ALL + "int main() { sleep(100); }", ("", "")) == ("failed", "test 1 of 1: wall_limit")


def test_c(sandbox):
    code = (
        '#include <stdio.h>\n#include <math.h>\nint main(void) { double x; scanf("%lf", &x); printf("%.3f", sqrt(x)); }'
    )
    assert verdict(sandbox, code, ("2", "1.414"), language="c") == ("passed", None)
    outcome, reason = verdict(sandbox, "int main(void) { class x; }", ("", ""), language="c")
    assert outcome == "failed"
    assert reason.startswith("does not compile: solution.c:1")


RUNNING = {
    "fork": "fork() < 0",
    "vfork": "vfork() < 0",
    "a shell": 'system("true") != 0',
    "a program": 'execl("/usr/bin/env", "env", nullptr) < 0',
    "its own file": '[] { int d = open("/proc/self/exe", O_RDONLY); return syscall(322, d, "", 0, 0, 0x1000) < 0; }()',
    "a program where it lay itself": '[] { int d = open("/proc/self/exe", O_RDONLY); dup2(d, 200);'
    ' return syscall(322, 200, "", 0, 0, 0x1000) < 0; }()',
    "a socket": "socket(AF_INET, SOCK_STREAM, 0) < 0",
    "/etc/passwd": '!ifstream("/etc/passwd")',
    "other descriptors": "[] { for (int n = 3; n < 300; n++) if (fcntl(n, F_GETFD) >= 0) return 0; return 1; }()",
    "limits": "[] { rlimit r{1ul << 40, 1ul << 40}; return setrlimit(RLIMIT_AS, &r) < 0; }()",
    "ptrace": "ptrace(PTRACE_ATTACH, 1, 0, 0) < 0",
}


@pytest.mark.parametrize("name", RUNNING)
def test_what_is_forbidden_to_a_running_program(sandbox, name):
    headers = "#include <fcntl.h>\n#include <unistd.h>\n#include <signal.h>\n#include <sys/resource.h>\n"
    headers += "#include <sys/socket.h>\n#include <sys/ptrace.h>\n#include <sys/syscall.h>\n"
    code = f'{ALL}{headers}int main() {{ bool blocked = {RUNNING[name]}; puts(blocked ? "blocked" : "got through"); }}'
    assert verdict(sandbox, code, ("", "blocked"), ("", "blocked")) == ("passed", None)


def test_threads_are_allowed():
    code = "int main() { int x = 0; thread t([&] { x = 42; }); t.join(); cout << x; }"
    with Sandbox(Limits(2.0, 10.0, 1024, 10_000), workers=1, compiling=PATIENT) as sandbox:
        assert verdict(sandbox, ALL + code, ("", "42")) == ("passed", None)


# --- hostile to the compiler -------------------------------------------------------------------------------

TEN_TIMES = "".join(f"#define M{n + 1} {','.join([f'M{n}'] * 10)}\n" for n in range(9))
BOMBS = {
    "/etc/passwd": '#include "/etc/passwd"\nint main() {}',
    "the test file": f'#include "{os.path.abspath(__file__)}"\nint main() {{}}',
    "the cache": f'#include "{os.path.expanduser("~/.cache/amt/compiled")}"\nint main() {{}}',
    "/dev/zero": '#include "/dev/zero"\nint main() {}',
    "/dev/random": '#include "/dev/random"\nint main() {}',
    "itself": '#include "solution.cpp"\nint main() {}',
    "file by the assembler": 'asm(".incbin \\"/etc/passwd\\"");\nint main() {}',
    "endless file by the assembler": 'asm(".incbin \\"/dev/zero\\"");\nint main() {}',
    "templates without end": "template <int N> struct A { static constexpr int v = A<N + 1>::v; };\n"
    "int main() { return A<0>::v; }",
    "templates that fan out": "template <int N, int M> struct A { A<N - 1, 2 * M> y; A<N - 1, 2 * M + 1> z; };\n"
    "template <int M> struct A<0, M> {};\nA<40, 0> a;\nint main() {}",
    "constexpr loop": "constexpr int f() { int s = 0; for (long i = 0; i < 1L << 60; i++) s ^= i; return s; }\n"
    "static_assert(f() == 1);\nint main() {}",
    "macros": f"#define M0 x\n{TEN_TIMES}int x;\nint main() {{ int y[] = {{M9}}; }}",
    "a huge executable": "char a[3000000000] = {1};\nint main() {}",
    "an executable beyond the bound": "char a[100000000] = {1};\nint main() { return a[1]; }",
}  # fmt: skip


@pytest.fixture(scope="module")
def impatient():
    """The cache is the user's: what was compiled under other limits is another entry. Its first program, which is to
    compile, takes 0.5 s and ten times that on a slow machine."""
    with Sandbox(LIMITS, workers=2, compiling=Compiling(10.0, 512, COMPILING.cache)) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_or_a_spy_does_not_compile(impatient, name):
    outcome, reason = verdict(impatient, BOMBS[name], ("", ""))
    assert outcome == "failed"
    assert reason.startswith("does not compile: ")
    assert load(impatient, "int main() {}") is None


def test_nothing_of_one_compilation_reaches_the_next(impatient):
    load(impatient, "int leaked = 1;\nint main() {}")
    assert "leaked" in load(impatient, "extern int leaked;\nint main() { return leaked; }")
    assert (
        load(
            impatient, '#if __has_include("solution") || __has_include("/tmp/solution")\n#error\n#endif\nint main() {}'
        )
        is None
    )


# --- compiled once -----------------------------------------------------------------------------------------


@pytest.fixture
def apart(tmp_path):
    """A sandbox with a cache of its own. In C, whose headers need no precompiling."""
    with Sandbox(LIMITS, workers=1, compiling=Compiling(5.0, 512, tmp_path / "cache")) as sandbox:
        yield sandbox


def entries(tmp_path):
    return sorted((tmp_path / "cache").iterdir(), key=lambda path: path.stat().st_mtime_ns)


ECHO = "#include <stdio.h>\nint main(void) { putchar(getchar()); }"


def test_a_submission_is_compiled_once(apart, tmp_path):
    assert verdict(apart, ECHO, *[(letter, letter) for letter in "abcdefghij"], language="c") == ("passed", None)
    assert len(entries(tmp_path)) == 2  # and the first program, which shows that the compiler works
    Cache(tmp_path / "cache").put(entries(tmp_path)[-1].name, b"F", b"this was read and nothing compiled")
    assert load(apart, ECHO, "c") == "this was read and nothing compiled"
    with Sandbox(LIMITS, workers=1, compiling=Compiling(5.0, 512, tmp_path / "cache")) as another:
        assert load(another, ECHO, "c") == "this was read and nothing compiled"
    with Sandbox(LIMITS, workers=1, compiling=Compiling(6.0, 512, tmp_path / "cache")) as other_limits:
        assert load(other_limits, ECHO, "c") is None


def test_a_fault_is_kept(apart, tmp_path):
    fault = load(apart, "int main(void) { return x; }", "c")
    assert "'x' undeclared" in fault
    kept = entries(tmp_path)[-1]
    assert kept.stat().st_size < 1000
    assert load(apart, "int main(void) { return x; }", "c") == fault
    assert len(entries(tmp_path)) == 2


def test_running_out_of_time_is_not_kept(tmp_path):
    """It is the machine's doing, perhaps; a compiler that is slow once would be without use for good."""
    statements = "".join(f"#define M{n + 1} {f'M{n} ' * 10}\n" for n in range(8))
    code = f"#define M0 ;\n{statements}int main(void) {{ M8 }}"
    with Sandbox(LIMITS, workers=1, compiling=Compiling(3.0, 4096, tmp_path / "cache")) as sandbox:
        assert load(sandbox, code, "c") == "does not compile: cpu_limit"
    assert len(entries(tmp_path)) == 1  # the first program


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cut=st.floats(0, 1, exclude_max=True), flip=st.booleans())
def test_a_damaged_entry_counts_as_missing(apart, tmp_path, cut, flip):
    assert verdict(apart, ECHO, ("y", "y"), language="c") == ("passed", None)
    entry = max(entries(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    whole = entry.read_bytes()
    at = int(cut * len(whole))
    entry.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] if flip else whole[:at])
    assert verdict(apart, ECHO, ("y", "y"), language="c") == ("passed", None)
    assert entry.read_bytes() == whole


WRITER = """
import sys
from pathlib import Path
from amt.sandbox.compiling import Cache
cache = Cache(Path(sys.argv[1]))
print("started", flush=True)
for number in range(1_000_000):
    cache.put(str(number % 7), b"P", bytes([number % 251]) * 3_000_000)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_entries(tmp_path):
    cache = Cache(tmp_path)
    for round in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(0.02 + 0.013 * round)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for path in tmp_path.iterdir():
            if not path.name.startswith("writing-"):
                content = cache.get(path.name)
                assert content == b"P" + content[1:2] * 3_000_000


def test_the_cache_is_bounded_and_forgets_what_is_not_used(tmp_path):
    cache = Cache(tmp_path, most_bytes=10_000)
    for number in range(30):
        cache.put(str(number), b"P", bytes(1000))
        assert cache.get("0") is not None
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10_000
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["0", *map(str, range(22, 30))])


def test_what_a_killed_writer_left_goes_after_an_hour(tmp_path):
    """Killed between writing and renaming."""
    code = "import os, signal, sys\nfrom pathlib import Path\nfrom amt.sandbox.compiling import Cache\n"
    code += (
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\nCache(Path(sys.argv[1])).put('k', b'P', b'x')"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    Cache(tmp_path).put("1", b"P", b"x")
    assert left.exists()  # its writer may live
    os.utime(left, (time.time() - 4000, time.time() - 4000))
    Cache(tmp_path).put("2", b"P", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_an_unwritable_cache_is_no_error(tmp_path, caplog):
    (tmp_path / "cache").write_text("in the way")
    with Sandbox(LIMITS, workers=1, compiling=Compiling(5.0, 512, tmp_path / "cache" / "x")) as sandbox:
        assert verdict(sandbox, ECHO, ("y", "y"), language="c") == ("passed", None)
    assert "keeps no compiled program" in caplog.text


def test_the_precompiled_header_is_used(sandbox):
    """The compiler itself says so (-H): "!" stands before a precompiled header that it took."""
    assert load(sandbox, "int main() {}") is None
    compilation = LANGUAGES["cpp"].compilation
    binds = sandbox._compiler(sandbox.compiling)._binds["cpp"]
    command = (
        compiling.toolchain(compilation).driver,
        *compilation.flags,
        "-I",
        "/headers",
        "-H",
        "solution.cpp",
        "-c",
    )

    def compile(_, source):
        return sandbox._compile("cpp compiler", binds, source, command, "solution.cpp", "solution.o", LIMITS)

    (execution,) = sandbox.map(compile, [f"{ALL}int main() {{}}\n".encode()])
    assert execution.stderr.splitlines()[0] == "! /headers/bits/stdc++.h.gch"


def header_in(cache):
    return max(cache.iterdir(), key=lambda path: path.stat().st_size)


ONE = "int main() { cout << 1; }"


@pytest.fixture(scope="module")
def with_header(tmp_path_factory):
    """A sandbox with a cache of its own, and in it a precompiled header."""
    cache = tmp_path_factory.mktemp("with_header")
    with Sandbox(LIMITS, workers=1, compiling=replace(PATIENT, cache=cache)) as sandbox:
        assert verdict(sandbox, ALL + ONE, ("", "1")) == ("passed", None)
        assert header_in(cache).stat().st_size > 10_000_000
        yield sandbox, cache


def test_a_precompiled_header_that_is_removed_is_made_anew(with_header):
    sandbox, cache = with_header
    removed = header_in(cache)
    removed.unlink()
    assert verdict(sandbox, f"{ALL}// 2\n{ONE}", ("", "1")) == ("passed", None)
    with Sandbox(LIMITS, workers=1, compiling=sandbox.compiling) as another:
        assert verdict(another, f"{ALL}// 3\n{ONE}", ("", "1")) == ("passed", None)
    removed.unlink()
    sandbox.map(lambda runner, _: sandbox._drop("cpp compiler"), [None])  # its next worker has to see it
    assert verdict(sandbox, f"{ALL}// 4\n{ONE}", ("", "1")) == ("passed", None)
    assert removed.exists()


def test_a_damaged_precompiled_header_costs_no_verdict(with_header):
    sandbox, cache = with_header
    os.truncate(header_in(cache), 1_000_000)
    assert verdict(sandbox, f"{ALL}// 5\n{ONE}", ("", "1")) == ("passed", None)
    outcome, reason = verdict(sandbox, f"{ALL}// 5\nint main() {{ cout << x; }}", ("", "1"))
    assert outcome == "failed"
    assert "'x' was not declared" in reason
    header_in(cache).unlink()


def test_a_toolchain_that_changes_in_use_is_no_verdict(monkeypatch, tmp_path):
    """Not even on a program that does not compile."""
    with Sandbox(LIMITS, workers=1, compiling=Compiling(5.0, 512, tmp_path / "cache")) as sandbox:
        assert verdict(sandbox, ECHO, ("y", "y"), language="c") == ("passed", None)
        part = tmp_path / "as"
        part.write_text("")
        tools = compiling.toolchain(LANGUAGES["c"].compilation)
        tools = replace(tools, parts=(*tools.parts, compiling._version(str(part))))
        monkeypatch.setattr(compiling, "toolchain", lambda _: tools)
        assert load(sandbox, "int main(void) { return x; }", "c").startswith("does not compile: ")
        part.unlink()
        outcome, reason = verdict(sandbox, "int main(void) { return y; }", ("", ""), language="c")
        assert outcome == "error"
        assert f"{part} was removed or changed" in reason


KILLED = "gcc: fatal error: Killed signal terminated program cc1"


def test_a_killed_compiler_is_no_verdict(impatient):
    """It runs nothing of the program's: whatever kills it comes from outside."""
    assert load(impatient, "int main() {}") is None
    slow = f"{BOMBS['constexpr loop']}\n// {time.time_ns()}"  # not one of the cache
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(verdict, impatient, slow, ("", ""))
        while not result.done():
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if process.name() == "cc1plus":
                        process.kill()
            time.sleep(0.02)
        outcome, reason = result.result()
    assert outcome == "error"
    assert re.match(r"A process of \S+ was killed", reason)
    assert verdict(impatient, slow, ("", ""))[0] == "failed"


def test_a_program_cannot_say_that_its_compiler_was_killed(apart):
    for end in ("", "\\ncompilation terminated.", "\\ncompilation terminated.\\n"):
        code = f'#line 1 "{KILLED}{end}"\n#include "{KILLED}"\n'
        assert load(apart, code, "c").startswith("does not compile: ")


def test_a_missing_compiler_is_no_verdict(monkeypatch, tmp_path):
    """bubblewrap stays found."""
    with Sandbox(LIMITS, workers=1, compiling=Compiling(5.0, 512, tmp_path)) as sandbox:
        monkeypatch.setenv("PATH", str(tmp_path))
        compiling._toolchain.cache_clear()
        try:
            assert sandbox.languages == ("python",)
            outcome, reason = verdict(sandbox, ECHO, ("y", "y"))
            assert outcome == "error"
            assert "apt-get install g++" in reason
            assert verdict(sandbox, "print(input())", ("y", "y"), language="python") == ("passed", None)
        finally:
            compiling._toolchain.cache_clear()
