"""Runs a command as a container's engine would: `contained.py ROOT [NAME=VALUE …] COMMAND …`.

`ROOT` is the root of its file system and cannot be written; the user is 65532, with no rights, and the environment is what is
given. Mounts are seen by the command alone. Replaces this process; needs root, unshare and chroot.
"""

import os
import shutil
import sys

MOUNT = """
set -eu
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
mount --bind /dev "$ROOT/dev"
mount -t proc -o ro proc "$ROOT/proc"
exec env --ignore-environment "$@"
"""


def main(root: str, *arguments: str) -> None:
    """Replace this process."""
    first = next(number for number, argument in enumerate(arguments) if "=" not in argument)
    chroot = (shutil.which("chroot") or "/usr/sbin/chroot", "--userspec=65532:65532", "--groups=65532", root)
    enter = ("/bin/sh", "-c", MOUNT, "sh", *arguments[:first], *chroot, *arguments[first:])
    os.execvpe("unshare", ("unshare", "--mount", "--propagation=private", *enter), os.environ | {"ROOT": root})


if __name__ == "__main__":
    main(*sys.argv[1:])
