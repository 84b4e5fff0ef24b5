"""Starts exporters by fork, with everything imported before: each line of stdin is the arguments of one, as JSON.

Answers with the process id, and with a line more when that process has ended.
"""

import importlib
import json
import os
import pkgutil
import runpy
import sys

import exporter


def import_all() -> None:
    """Import every module of the exporter."""
    for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


if __name__ == "__main__":
    import_all()
    print("ready", flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            sys.argv[1:] = json.loads(line)
            runpy.run_module("exporter", run_name="__main__", alter_sys=True)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)
