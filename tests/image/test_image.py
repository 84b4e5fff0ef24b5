"""The image: what its files say, and the image itself, built on a base made here and run as an engine would run it."""

import fnmatch
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.cli.parser import COMMANDS
from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import ANY_PORT, Exporter, exporter
from tests.image import build
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

DOCKERFILE = build.PROJECT / "Dockerfile"
CONTAINED = str(Path(__file__).with_name("contained.py"))
ALLOWED = {
    "exporter",
    "deploy/image/root.py",
    "requirements/run.txt",
    "requirements/build.txt",
    "pyproject.toml",
    "README.md",
    "LICENSE",
}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each in one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def test_the_base_is_pinned() -> None:
    first, last = (rest for word, rest in instructions() if word == "FROM")
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64} AS build", first)
    assert last == "scratch"


def test_every_installation_is_locked() -> None:
    commands = " && ".join(rest for word, rest in instructions() if word == "RUN")
    for command in re.findall(r"(?<![-\w])pip [^&]*\binstall .*?(?= &&|$)", commands):
        assert "--no-deps" in command, command
        assert "--require-hashes" in command or "/wheel/" in command, command
    assert "--no-build-isolation" in commands


def test_what_the_build_sees_is_what_it_is_given() -> None:
    """The list of what is not left out, and what the Dockerfile copies, are one."""
    first, *rules = [
        line
        for line in (build.PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert first == "*"
    assert {rule[1:].rstrip("/") for rule in rules if rule.startswith("!")} == ALLOWED
    copied = {
        source.rstrip("/")
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from=build")
        for source in rest.split()[:-1]
    }
    assert copied == ALLOWED


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).parent / "hadolint"  # of the locked environment
    done = subprocess.run([program, DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_that_is_built_here() -> None:
    """In one test, so that it is built once: it takes most of a minute."""
    why = build.left_out()
    if why is not None:
        pytest.skip(f"the image is not built: {why}")
    with build.built(VERSION="1.2.3", REVISION="0123abc") as image:
        check_what_it_says(image)
        check_what_is_in_it(image)
        check_that_nothing_can_be_written(image)
        check_demo(image)
        check_serve(image)
        check_other_commands(image)


def check_what_it_says(image: build.Image) -> None:
    about = image.about
    assert about["User"] == "65532:65532"
    assert about["Entrypoint"] == ["flatfile-exporter"]
    assert not about.get("Cmd")
    assert list(about["ExposedPorts"]) == ["10056/tcp"]
    assert about["Healthcheck"]["Test"][0] == "CMD"  # not CMD-SHELL: there is no shell
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in about["Labels"].items()}
    assert labels["title"] == "flatfile-exporter"
    assert labels["licenses"] == "Apache-2.0"
    assert (labels["version"], labels["revision"]) == ("1.2.3", "0123abc")
    assert "FLATFILE_EXPORTER_REVISION=0123abc" in image.environment


def check_what_is_in_it(image: build.Image) -> None:
    files = {path.relative_to(image.root): path for path in image.root.rglob("*")}
    programs = {name.name for name in files if {"bin", "sbin"} & set(name.parts[:-1])}
    assert programs == {"flatfile-exporter", "python", "python3", build.PYTHON}
    assert not [name for name in files if fnmatch.fnmatch(name.name, "*pip*") and "site-packages" in name.parts]
    assert image.size < 100 * 2**20
    for name, path in files.items():
        about = path.lstat()
        if stat.S_ISLNK(about.st_mode):
            continue
        assert not about.st_mode & (stat.S_ISUID | stat.S_ISGID), name
        assert str(name) == "tmp" or not about.st_mode & stat.S_IWOTH, name
        assert about.st_uid == (65532 if str(name) == "var/lib/flatfile-exporter" else 0), name
    for module in image.root.glob("opt/flatfile-exporter/lib/python*/site-packages/exporter/*.py"):
        assert list((module.parent / "__pycache__").glob(f"{module.stem}.*.pyc")), "not compiled"
    described = {path.name for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "ca-certificates"} <= described
    assert any(name.startswith("libssl") for name in described)
    assert (image.root / "usr/share/doc/libc6/copyright").is_file()


def check_that_nothing_can_be_written(image: build.Image) -> None:
    code = "import os; print(os.getuid(), os.getgroups()); open('/tmp/x', 'w')"
    done = run_in(image, "python", "-c", code)
    assert done.stdout == "65532 [65532]\n"
    assert "Read-only file system: '/tmp/x'" in done.stderr


@contextmanager
def container(image: build.Image, *arguments: str, **env: str) -> Iterator[Exporter]:
    """Run the image with these arguments, as far as listening."""
    given = [f"{name}={value}" for name, value in env.items()]
    entry = (*image.environment, *given, *image.about["Entrypoint"])
    with exporter(*entry, *arguments, ANY_PORT, program=(CONTAINED, str(image.root))) as running:
        yield running.listens()


def check_demo(image: build.Image) -> None:
    with container(image, "demo") as running:
        page = running.page()
        assert 'flatfile_up{account="demo"} 1' in page
        assert 'revision="0123abc"' in page
        assert "process_resident_memory_bytes" in page
        uids = re.search(r"^Uid:\s+(.*)$", Path(f"/proc/{running.process.pid}/status").read_text(), re.MULTILINE)
        assert uids is not None
        assert uids[1].split() == ["65532"] * 4
        assert check_health(image, running.url) == (0, "flatfile-exporter is healthy\n")
        running.signal(15)
        assert running.ended() == 0
        assert check_health(image, running.url)[0] == 1


def run_in(image: build.Image, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself, as an engine would."""
    given = [*image.environment, *(f"{name}={value}" for name, value in env.items())]
    return subprocess.run(
        ["python3", CONTAINED, image.root, *given, *command], capture_output=True, text=True, check=False
    )


def check_health(image: build.Image, url: str) -> tuple[int, str]:
    """The image's own health check, at this URL."""
    done = run_in(image, *image.about["Healthcheck"]["Test"][1:], f"--url={url}")
    return done.returncode, done.stdout


@contextmanager
def account() -> Iterator[dict[str, str]]:
    """A simulated account, and the variables that name it."""
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=10)
    with SimulatedServer(world).in_thread() as api:
        api.call(world.emit, "file:created", next(iter(world.environments)))
        yield {
            "FLATFILE_BASE_URL": api.base_url,
            "FLATFILE_CLIENT_ID": CLIENT_ID,
            "FLATFILE_CLIENT_SECRET": SECRET,
        }


def check_serve(image: build.Image) -> None:
    with account() as env, container(image, "serve", **env) as running:
        assert 'flatfile_up{account="default"} 1' in running.page()
        running.signal(15)
        assert running.ended() == 0


def check_other_commands(image: build.Image) -> None:
    """Those that end by themselves: what a command imports must be in the image."""
    ends = {
        ("check-config",): "configuration is valid",
        ("check-config", "--probe"): "account default",
        ("discover",): "expected_agents:",
        ("audit",): '"file:created"',
        ("inventory", "spaces", "--format=json"): '"environment_id"',
    }
    assert {command for command, *_ in ends} | {"serve", "demo", "healthcheck"} == COMMANDS.keys()
    with account() as env:
        for command, says in ends.items():
            done = run_in(image, *image.about["Entrypoint"], *command, **env)
            assert done.returncode == 0, done.stderr
            assert says in done.stdout, command
