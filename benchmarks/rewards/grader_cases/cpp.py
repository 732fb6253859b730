"""Programs in C++: they read standard input, and each is compiled once for all its tests."""

from benchmarks.rewards.grader_cases.case import SUM, TWO_LINES, GraderCase, answered, right, stdin, wrong

CPP_LANGUAGE = "cpp"
HEAD = "#include <bits/stdc++.h>\nusing namespace std;\n"
SUM_CODE = HEAD + "int main() { int n, x, s = 0; cin >> n; while (n--) { cin >> x; s += x; } cout << s << endl; }"
DEEP = HEAD + (
    "int depth(int n) { volatile int here = n; return n ? 1 + depth(n - 1) + 0 * here : 0; }\n"
    "int main() { int n; cin >> n; cout << depth(n) << endl; }"
)


def _right(name: str, tests: str, code: str) -> GraderCase:
    return right(f"C++: {name}", tests, code, language=CPP_LANGUAGE)


def _wrong(name: str, tests: str, code: str, reason: str) -> GraderCase:
    return wrong(f"C++: {name}", tests, code, reason, language=CPP_LANGUAGE)


CPP = (
    _right("bits/stdc++.h", SUM, SUM_CODE),
    _right(
        "plain headers",
        SUM,
        ("#include <iostream>\nint main() { int n, a, b; std::cin >> n >> a >> b; std::cout << a + b; }"),
    ),
    _right(
        "scanf and printf",
        SUM,
        (
            "#include <cstdio>\n"
            'int main() { int n, a, b; scanf("%d%d%d", &n, &a, &b); printf("%d\\n'
            '", a + b); return 0; }'
        ),
    ),
    _right(
        "ios without sync",
        SUM,
        HEAD
        + ("int main() { ios::sync_with_stdio(false); cin.tie(0); int n, a, b; cin >> n >> a >> b; cout << a + b; }"),
    ),
    _right(
        "getline to the end", TWO_LINES, HEAD + 'int main() { string s; while (getline(cin, s)) cout << s << "\\n"; }'
    ),
    _right("recursion of 1,000,000", stdin(("1000000", "1000000\n")), DEEP),
    _right(
        "a large array on the stack",
        SUM,
        HEAD + "int main() { int a[4000000]; a[3999999] = 7; cout << a[3999999] << endl; }",
    ),
    _right("exit(0)", SUM, HEAD + "int main() { cout << 7 << endl; exit(0); }"),
    _right("C++17", SUM, HEAD + "int main() { auto [a, b] = pair{3, 4}; if (int s = a + b; s) cout << s << endl; }"),
    _right("doubles", stdin(("", "0.3\n")), HEAD + "int main() { cout << setprecision(17) << 0.1 + 0.2 << endl; }"),
    _right(
        "__int128 and popcount",
        SUM,
        HEAD + "int main() { __int128 x = 127; cout << __builtin_popcount((int) x) << endl; }",
    ),
    _right(
        "190 KB of output",
        stdin(("", "7\n" * 95_000)),
        HEAD + "int main() { for (int i = 0; i < 95000; i++) cout << 7 << endl; }",
    ),
    GraderCase("C++: the label c++", SUM, answered(SUM_CODE, "c++"), "right"),
    GraderCase("C++: the label CPP", SUM, answered(SUM_CODE, "CPP"), "right"),
    _wrong("wrong answer", SUM, HEAD + "int main() { cout << 8 << endl; }", "wrong output"),
    _wrong(
        "right in the first of two tests",
        stdin(("1", "1"), ("2", "2")),
        HEAD + "int main() { cout << 1; }",
        "test 2 of 2",
    ),
    _wrong("does not compile", SUM, HEAD + "int main() { cout << nothing; }", ""),
    _wrong("does not link", SUM, HEAD + "int nothing();\nint main() { cout << nothing(); }", ""),
    _wrong("no main", SUM, HEAD + "int f() { return 7; }", ""),
    _wrong("right, then exit status 1", SUM, HEAD + "int main() { cout << 7 << endl; return 1; }", "exit status 1"),
    _wrong("right, then an exception", SUM, HEAD + 'int main() { cout << 7 << endl; throw runtime_error("no"); }', ""),
    _wrong(
        "right, then a segmentation fault",
        SUM,
        HEAD + "int main() { cout << 7 << endl; volatile int *p = nullptr; *p = 1; }",
        "killed",
    ),
    _wrong("right, then abort", SUM, HEAD + "int main() { cout << 7 << endl; abort(); }", "killed"),
    _wrong(
        "right, then for ever",
        SUM,
        HEAD + "int main() { cout << 7 << endl; volatile int x = 0; while (true) x = x + 1; }",
        "cpu_limit",
    ),
    _wrong(
        "not flushed before _exit",
        SUM,
        HEAD + "#include <unistd.h>\nint main() { cout << 7 << '\\n'; _exit(0); }",
        "wrong output",
    ),
    _wrong(
        "endless recursion",
        SUM,
        HEAD + "int f(int n) { volatile int x = n; return f(n + 1) + x; }\nint main() { cout << f(0); }",
        "",
    ),
    _wrong(
        "too much memory", SUM, HEAD + "int main() { vector<char> v(2000000000, 1); cout << 7 + v[5] - 1 << endl; }", ""
    ),
)
