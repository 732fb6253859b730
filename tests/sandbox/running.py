"""One run of one program."""

from collections.abc import Callable

from amt.sandbox.runner import Execution, Input, Runner, Sandbox


def once(code: str, given: Input, language: str = "python") -> Callable[[Runner, object], Execution]:
    """For Sandbox.map."""

    def run(runner: Runner, _: object) -> Execution:
        assert runner.load(language, code) is None
        return runner.run(given)

    return run


def run_in(sandbox: Sandbox, code: str, given: Input, language: str = "python") -> Execution:
    return sandbox.map(once(code, given, language), [None])[0]
