"""The dashboards' pictures: each is there, is shown, and is small; the page says how they were made."""

import json
import re
import struct
from pathlib import Path

import pytest

from .queries import dashboards

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
PAGE = ROOT / "docs" / "dashboards.md"
TOOL = ROOT / "grafana" / "pictures"
SOURCES = [*(TOOL / "page").iterdir(), *TOOL.glob("*.py")]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "grafana" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "grafana").glob("*/README.md")),
]

MAX_BYTES = 300_000
WIDTH = 1600

DASHBOARDS = dashboards()
PACKAGE = json.loads((TOOL / "package.json").read_text(encoding="utf-8"))


def size(picture: Path) -> tuple[int, int]:
    """Width and height in pixels, from the first chunk of a PNG."""
    start = picture.read_bytes()[:24]
    assert start[:8] == b"\x89PNG\r\n\x1a\n", f"{picture.name} is no PNG"
    width, height = struct.unpack(">II", start[16:])
    return width, height


def sections() -> dict[str, str]:
    """The text under each heading of the page."""
    parts = re.split(r"^## (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def images(document: Path) -> list[str]:
    """Targets of the images in a document, those of other servers left out."""
    text = document.read_text(encoding="utf-8")
    found = re.findall(r"!\[[^\]]*\]\(([^)\s]+)", text) + re.findall(r"<img[^>]* src=\"([^\"]+)\"", text)
    return [target for target in found if not re.match(r"https?:", target)]


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_dashboard_has_a_picture_of_its_width(uid: str) -> None:
    width, height = size(IMAGES / f"{uid}.png")
    assert width == WIDTH
    assert height > WIDTH / 2


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_dashboard_has_a_section_with_its_picture(uid: str) -> None:
    section = sections()[DASHBOARDS[uid]["title"].removeprefix("Flatfile / ")]
    shown = re.search(rf"!\[(?P<said>[^\]]+)\]\(images/{uid}\.png\)\n", section)
    assert shown
    assert len(shown["said"]) > 40, "the picture in words, for those who cannot see it"


def test_the_page_says_once_how_its_pictures_were_made() -> None:
    package = f"`@grafana/ui` {PACKAGE['dependencies']['@grafana/ui']}"
    text = PAGE.read_text(encoding="utf-8")
    about = " ".join(sections()["About the pictures"].split())
    for said in (package, "not by a running Grafana", "state timelines", "marks on graphs", "row headings"):
        assert said in about
    assert text.count("@grafana/ui") == text.count("running Grafana") == 1


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_section_names_every_row(uid: str) -> None:
    section = " ".join(sections()[DASHBOARDS[uid]["title"].removeprefix("Flatfile / ")].split())
    for panel in DASHBOARDS[uid]["panels"]:
        if panel["type"] == "row":
            assert f"**{panel['title']}**" in section
            assert (f"**{panel['title']}** (closed" in section) == panel["collapsed"]


def test_links_of_the_page_lead_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for target in re.findall(r"[^!]\[[^\]]+\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        linked = PAGE.parent / file if file else PAGE
        assert linked.is_file(), target
        headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, target


def test_variables_are_explained() -> None:
    section = sections()["Variables"]
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            assert re.search(rf"^\|[^|]*\b{variable['label']}\b", section, re.MULTILINE), variable["label"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_images_linked_are_there(document: Path) -> None:
    for target in images(document):
        assert (document.parent / target).is_file(), target


def test_every_image_is_shown_somewhere_and_small() -> None:
    shown = {(document.parent / target).resolve() for document in DOCUMENTS for target in images(document)}
    for image in IMAGES.iterdir():
        assert image.resolve() in shown, image.name
        assert image.stat().st_size < MAX_BYTES, image.name


def test_tool_names_exact_versions_and_no_registry() -> None:
    for name, version in PACKAGE["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
    assert PACKAGE["dependencies"]["@grafana/ui"] == PACKAGE["dependencies"]["@grafana/data"]
    assert {"/node_modules", "/package-lock.json"} <= set((TOOL / ".gitignore").read_text(encoding="utf-8").split())


def test_page_imports_nothing_that_is_not_named() -> None:
    for source in (path for path in SOURCES if path.suffix in (".js", ".jsx")):
        for target in re.findall(r"from '([^']+)'", source.read_text(encoding="utf-8")):
            if target.startswith("."):
                assert (source.parent / target).is_file(), f"{source.name}: {target}"
            else:
                package = "/".join(target.split("/")[: 2 if target.startswith("@") else 1])
                assert package in PACKAGE["dependencies"], f"{source.name}: {target}"


def test_every_kind_of_panel_is_drawn() -> None:
    drawn = set(re.findall(r"'([a-z-]+)'", (TOOL / "page" / "panels.jsx").read_text(encoding="utf-8")))
    kinds = {panel["type"] for dashboard in DASHBOARDS.values() for panel in dashboard["panels"]} - {"row"}
    assert kinds <= drawn


def test_readme_lists_the_files_of_the_tool() -> None:
    readme = (TOOL / "README.md").read_text(encoding="utf-8")
    for source in SOURCES:
        if source.is_file() and not source.name.startswith("__"):
            assert source.relative_to(TOOL).as_posix() in readme, source.name
