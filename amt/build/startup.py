"""Lays amt's hooks into DVC when it is imported. Copied into the environment by `make env`, beside a `.pth` file.

It runs at the start of every Python process of the environment, so it imports nothing of amt: which `amt` a process
uses is decided later, by where it runs.
"""

import sys
from importlib.util import find_spec


class _AfterDvc:
    """A finder that finds nothing: it stands in the way of `dvc.repo` once, and adds a step to its import."""

    def find_spec(self, name, path=None, target=None):
        if name != "dvc.repo":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_hook(module):
            execute(module)
            try:
                from amt.build.dvc_hooks import install
            except ImportError as error:
                print(f"warning: dvc does not see changes of code here: {error}", file=sys.stderr)
                return
            install()

        spec.loader.exec_module = execute_and_hook
        return spec


sys.meta_path.insert(0, _AfterDvc())
