"""Names become things: by reference, and from the entry points of installed packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from interlock.errors import ConfigError
from interlock.registry import GROUPS, load, load_all


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A module on the path, and a way to install packages that offer things of it."""
    (tmp_path / "toy_shop.py").write_text(
        "one, two, three = 'one', 'two', 'three'\nboth = [one, two]\npair = (two, three)\n"
        "class Counter:\n    bell = 'ding'\n",
        encoding="utf-8",
    )
    (tmp_path / "toy_broken.py").write_text("import toy_absent\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, **points: str) -> None:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{point} = {value}" for point, value in points.items()]
        (folder / "entry_points.txt").write_text(
            "\n".join(["[interlock.tools]", *lines, ""]), encoding="utf-8"
        )

    yield install
    for module in ("toy_shop", "toy_broken"):
        sys.modules.pop(module, None)


def test_a_reference_names_an_attribute_at_any_depth(shop) -> None:
    """'module:attribute' may go into a class."""
    assert load("toy_shop:one") == "one"
    assert load("toy_shop:Counter.bell") == "ding"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("toy_shop", "is not a reference. Write 'module:attribute'"),
        (":one", "is not a reference"),
        ("toy_shop:", "is not a reference"),
        ("", "is not a reference"),
        ("toy_absent:one", "no module 'toy_absent'. Is the project folder on the path"),
        ("toy_broken:one", "no module 'toy_absent'"),
        ("toy_shop:four", "'toy_shop' has no attribute 'four'"),
        ("toy_shop:Counter.horn", "'toy_shop' has no attribute 'Counter.horn'"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(shop, reference: str, says: str) -> None:
    """The error has the reference and what is wrong with it."""
    with pytest.raises(ConfigError) as refused:
        load(reference)
    assert repr(reference) in refused.value.message
    assert says in refused.value.message


def test_lists_stand_for_their_items_in_order(shop) -> None:
    """References are kept in order, and nothing is sorted or left out."""
    found = load_all(["toy_shop:three", "toy_shop:both", "toy_shop:pair"], "interlock.memory")
    assert found == ["three", "one", "two", "two", "three"]


def test_installed_packages_come_after_in_order_of_names(shop) -> None:
    """What packages offer follows the references, by name, whatever was installed first."""
    shop("zebra", b_tool="toy_shop:two")
    shop("ant", c_tools="toy_shop:pair", a_tool="toy_shop:one")
    found = load_all(["toy_shop:three"], "interlock.tools")
    assert found == ["three", "one", "two", "two", "three"]
    assert load_all([], "interlock.guards") == []


def test_a_package_that_offers_nothing_real_is_named(shop) -> None:
    """A broken entry point is refused like a broken reference."""
    shop("ant", a_tool="toy_shop:four")
    with pytest.raises(ConfigError, match="'toy_shop:four'"):
        load_all([], "interlock.tools")


def test_an_unknown_group_is_refused() -> None:
    """The error lists the groups there are."""
    with pytest.raises(ConfigError) as refused:
        load_all([], "interlock.agent")
    assert all(group in refused.value.message for group in GROUPS)
