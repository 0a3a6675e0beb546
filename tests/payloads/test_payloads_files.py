"""FILE_SYSTEM jobs: what they do, and that nothing makes them leave the directories they may touch."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from payloads.payload_children import Heard
from watchfloor.payloads.child import plain
from watchfloor.payloads.child_side import Ended
from watchfloor.payloads.contract import PayloadError
from watchfloor.payloads.file_place import Roots, walk
from watchfloor.payloads.file_system import Settings
from watchfloor.payloads.file_work import work

Do = Callable[..., list[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def do(root: Path) -> Do:
    """Runs an operation; paths are written from the root."""

    def run(operation: str, source: str, target: str | None = None, **more: Any) -> list[str]:
        written = {"operation": operation, "source": str(root / source), **more}
        if target is not None:
            written["target"] = str(root / target)
        settings = Settings.model_validate(written)
        asked = {**plain(settings), "roots": [str(root)], "mark": "1"}
        asked["older_than"] = None if settings.older_than is None else float(settings.older_than)
        out = Heard()
        try:
            work(asked, out)
        finally:
            assert not list(root.rglob(".watchfloor-*")), "nothing half made is left"
        return out.said

    return run


def refused(do: Do, error_class: str, *asked: Any, **more: Any) -> str:
    with pytest.raises(PayloadError) as caught:
        do(*asked, **more)
    assert caught.value.error_class == error_class, str(caught.value)
    return str(caught.value)


def plant(root: Path, *files: str) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def tree(path: Path) -> set[str]:
    return {str(each.relative_to(path)) for each in path.rglob("*")}


def test_a_tree_is_copied_with_rights_times_and_links(do: Do, root: Path) -> None:
    plant(root, "a/b/c", "a/d")
    (root / "a/d").chmod(0o4750)
    os.utime(root / "a/d", (1000, 2000))
    (root / "a/link").symlink_to("/etc/passwd")
    os.mkfifo(root / "a/pipe")
    said = do("copy", "a", "x/y")
    assert tree(root / "x/y") == {"b", "b/c", "d", "link"}
    status = (root / "x/y/d").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o750, 2000), "setuid is not copied"
    assert os.readlink(root / "x/y/link") == "/etc/passwd"
    assert "left out, as it is no file, pipe" in said
    assert said[-1] == "copied 3 files, 8 bytes"


@pytest.mark.parametrize(
    ("exists", "becomes"), [("fail", "old"), ("keep", "old"), ("replace", "new")], ids=str
)
def test_what_is_there_already_is_kept_replaced_or_an_error(
    exists: str, becomes: str, do: Do, root: Path
) -> None:
    (root / "new").write_text("new")
    (root / "old").write_text("old")
    if exists == "fail":
        refused(do, "io.exists", "copy", "new", "old")
        refused(do, "io.exists", "move", "new", "old")
    else:
        do("copy", "new", "old", exists=exists)
    assert (root / "old").read_text() == becomes


def test_files_are_moved_and_deleted(do: Do, root: Path) -> None:
    plant(root, "a/b", "a/c.log", "a/d/e.log")
    do("move", "a", "z/a")
    assert tree(root / "z") == {"a", "a/b", "a/c.log", "a/d", "a/d/e.log"}
    refused(do, "io.unsafe", "delete", "z/a")
    do("delete", "z/a", recursive=True, include=["*.log"])
    assert tree(root / "z") == {"a", "a/b"}
    do("delete", "z", recursive=True)
    refused(do, "io.missing", "delete", "z")
    do("delete", "z", missing_ok=True)
    assert tree(root) == set()


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip"])
def test_what_is_archived_comes_out_again(ending: str, do: Do, root: Path) -> None:
    plant(root, "a/b/ü \n", "a/c", "a/skip.tmp")
    (root / "a/empty").mkdir()
    do("archive", "a", f"out/a{ending}", exclude=["*.tmp"])
    do("extract", f"out/a{ending}", "back")
    assert tree(root / "back") == {"b", "b/ü \n", "c", "empty"}
    assert (root / "back/c").read_text() == "a/c"
    refused(do, "io.exists", "extract", f"out/a{ending}", "back")
    (root / "back/c").write_text("mine")
    do("extract", f"out/a{ending}", "back", exists="keep")
    assert (root / "back/c").read_text() == "mine"
    do("extract", f"out/a{ending}", "back", exists="replace")
    assert (root / "back/c").read_text() == "a/c"


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz"])
def test_one_file_is_compressed_and_back(ending: str, do: Do, root: Path) -> None:
    plant(root, "log")
    do("compress", "log", f"log.{ending}", remove_source=True)
    assert tree(root) == {f"log.{ending}"}
    do("extract", f"log.{ending}", "out")
    assert (root / "out/log").read_text() == "log"


def test_a_mirror_copies_what_differs_and_deletes_what_is_extra_if_told(do: Do, root: Path) -> None:
    plant(root, "from/a", "from/b/c", "to/old/x", "to/keep.txt")
    do("sync", "from", "to")
    assert tree(root / "to") == {"a", "b", "b/c", "old", "old/x", "keep.txt"}
    (root / "from/a").write_text("changed")
    said = do("sync", "from", "to", delete_extra=True, exclude=["keep.*"])
    assert "copied a" in said
    assert "1 files were the same already" in said
    assert tree(root / "to") == {"a", "b", "b/c", "keep.txt"}
    assert (root / "to/a").read_text() == "changed"


def test_an_empty_source_empties_no_mirror(do: Do, root: Path) -> None:
    plant(root, "to/a")
    (root / "from").mkdir()
    refused(do, "io.unsafe", "sync", "from", "to", delete_extra=True)
    assert tree(root / "to") == {"a"}


def test_old_files_go_but_the_newest_stay_whatever_their_age(do: Do, root: Path) -> None:
    for at in range(5):
        plant(root, f"{at}.dump", f"sub/{at}.dump")
        for place in (f"{at}.dump", f"sub/{at}.dump"):
            os.utime(root / place, (1000 + at, 1000 + at))
    plant(root, "new.dump", "other.txt")
    (root / "all").mkdir()
    for name in ("0.dump", "1.dump", "2.dump", "3.dump", "4.dump", "new.dump", "other.txt", "sub"):
        (root / name).rename(root / "all" / name)
    do("clean_up", "all", older_than="1d", keep_newest=3, include=["*.dump"])
    assert tree(root / "all") >= {"3.dump", "4.dump", "new.dump", "other.txt", "sub/0.dump"}
    assert not (root / "all/2.dump").exists()
    do("clean_up", "all", older_than="1d", include=["*.dump"], recursive=True, remove_empty=True)
    assert tree(root / "all") == {"new.dump", "other.txt"}


@pytest.mark.parametrize(
    "asked",
    [
        ("copy", "a", "x"), ("move", "a", "x"), ("delete", "a"), ("archive", "a", "x.zip"), ("sync", "a", "x"),
        ("compress", "a/b", "x.gz"), ("extract", "z.tar", "x"), ("clean_up", "a"),
    ],
    ids=lambda asked: str(asked[0]),
)  # fmt: skip
def test_a_dry_run_tells_and_does_nothing(asked: tuple[str, ...], do: Do, root: Path) -> None:
    plant(root, "a/b", "a/c")
    os.utime(root / "a/b", (1, 1))
    do("archive", "a", "z.tar")
    before = tree(root)
    more: dict[str, Any] = {"delete": {"recursive": True}, "clean_up": {"older_than": "1d"}}
    said = do(*asked, dry_run=True, **more.get(asked[0], {}))
    assert tree(root) == before
    assert any(line.startswith("would have") for line in said)
    assert ("a" if asked[0] == "move" else "b") in " ".join(said)


def test_a_place_outside_of_the_roots_is_refused(do: Do, root: Path, tmp_path: Path) -> None:
    plant(tmp_path, "root-beside/secret")
    for place in ("/etc/passwd", str(tmp_path / "root-beside/secret")):
        refused(do, "config.roots", "copy", place, "x")
    refused(do, "config.roots", "delete", str(root), recursive=True)
    plant(root, "a")
    refused(do, "config.roots", "copy", "a", "/etc/cron.d/x")
    with pytest.raises(ValidationError):
        do("copy", f"{root}/../root-beside/secret", "x")


def test_links_lead_nowhere(do: Do, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    plant(outside, "secret")
    plant(root, "mine")
    (root / "link").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for asked in (("copy", "link/secret", "x"), ("copy", "mine", "link/new"), ("delete", "link/secret"),
                  ("archive", "link/secret", "x.zip"), ("move", "mine", "link/new")):  # fmt: skip
        assert "symbolic link" in refused(do, "io.outside", *asked)
    refused(do, "io.outside", "compress", "file", "x.gz")
    do("copy", "file", "copied")
    assert (root / "copied").is_symlink(), "the link itself"
    do("delete", "link")
    assert tree(outside) == {"secret"}


def test_a_tree_that_turns_into_a_link_meanwhile_leads_nowhere(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    plant(outside, "secret")
    plant(root, "a/b/c")
    with Roots([str(root)]).spot(str(root / "a")).directory() as directory:
        items = walk(directory)
        assert next(items).path == "b"
        (root / "a/b").rename(root / "a/was")
        (root / "a/b").symlink_to(outside)
        with pytest.raises(PayloadError) as caught:
            list(items)
    assert caught.value.error_class == "io.outside"


def test_a_race_between_links_and_deletes_never_deletes_outside(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    plant(outside, *(f"{number}" for number in range(50)))
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for change in (lambda: os.rename(root / "a/d", root / "hidden"),
                           lambda: os.symlink(outside, root / "a/d"),
                           lambda: os.unlink(root / "a/d"),
                           lambda: os.rename(root / "hidden", root / "a/d")):  # fmt: skip
                try:
                    change()
                except OSError:
                    continue

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(200):
            plant_quietly(root)
            asked = {**plain(Settings(operation="delete", source=str(root / "a"), recursive=True)),
                     "roots": [str(root)], "mark": "1"}  # fmt: skip
            try:
                work(asked, Heard())
            except PayloadError:
                continue
    finally:
        stop.set()
        swapper.join()
    assert tree(outside) >= {
        f"{number}" for number in range(50)
    }  # planting follows the link, deleting must not


def plant_quietly(root: Path) -> None:
    try:
        (root / "a/d").mkdir(parents=True, exist_ok=True)
        (root / "a/d/x").write_text("x")
    except OSError:
        return


def tar_of(root: Path, *members: tuple[tarfile.TarInfo, bytes], name: str = "bad.tar") -> None:
    with tarfile.open(root / name, "w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def entry(name: str, kind: bytes = tarfile.REGTYPE, leads: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, leads
    return info


@pytest.mark.parametrize(
    "info",
    [
        entry("../out"), entry("/etc/out"), entry("a/../../out"), entry("x", tarfile.SYMTYPE, "/etc"),
        entry("x", tarfile.LNKTYPE, "/etc/passwd"), entry("x", tarfile.CHRTYPE), entry("x", tarfile.FIFOTYPE),
        entry("d/" * 150 + "x"), entry("a\\..\\b"),
    ],
    ids=lambda info: f"{info.name[:12]}-{info.type.decode()}",
)  # fmt: skip
def test_a_hostile_tar_is_refused_and_nothing_of_it_is_left(
    info: tarfile.TarInfo, do: Do, root: Path, tmp_path: Path
) -> None:
    tar_of(root, (entry("good"), b"good"), (info, b""))
    refused(do, "io.unsafe", "extract", "bad.tar", "into")
    assert tree(root) == {"bad.tar"}
    assert tree(tmp_path) == {"root", "root/bad.tar"}


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "..\\out"])
def test_a_hostile_zip_is_refused(name: str, do: Do, root: Path) -> None:
    with zipfile.ZipFile(root / "bad.zip", "w") as archive:
        archive.writestr("good", "good")
        archive.writestr(name, "bad")
    refused(do, "io.unsafe", "extract", "bad.zip", "into")
    assert tree(root) == {"bad.zip"}


def test_a_link_in_a_zip_is_refused(do: Do, root: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(root / "bad.zip", "w") as archive:
        archive.writestr(info, "/etc")
    refused(do, "io.unsafe", "extract", "bad.zip", "into")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "gz", "many", "size"])
def test_a_bomb_is_stopped(kind: str, do: Do, root: Path) -> None:
    nothing = bytes(30 * 2**20)
    name, limits = f"bomb.{kind}", {}
    if kind == "zip":
        with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x", nothing)
    elif kind == "tar.gz":
        with tarfile.open(root / name, "w:gz") as tar:
            info = entry("x")
            info.size = len(nothing)
            tar.addfile(info, io.BytesIO(nothing))
    elif kind == "gz":
        (root / name).write_bytes(gzip.compress(nothing))
    elif kind == "many":
        name, limits = "bomb.tar", {"files": 10}
        tar_of(root, *((entry(f"{number}"), b"") for number in range(20)), name=name)
    else:
        name, limits = "bomb.tar", {"size": 1}
        tar_of(root, (entry("x"), bytes(2 * 2**20)), name=name)
    refused(do, "io.too_much", "extract", name, "into", limits=limits)
    assert tree(root) == {name}


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.xz", "x.tar.bz2", "x.zip", "x.gz", "x.xz"])
@pytest.mark.parametrize("what", ["noise", "cut"])
def test_what_is_no_archive_is_said_to_be_none(name: str, what: str, do: Do, root: Path) -> None:
    if what == "noise":
        (root / name).write_bytes(os.urandom(5000))
    else:
        (root / "tree").mkdir()
        (root / "tree/data").write_bytes(os.urandom(100_000))
        if name.startswith("x.tar") or name == "x.zip":
            do("archive", "tree", name)
        else:
            do("compress", "tree/data", name)
        os.truncate(root / name, 60_000)
    refused(do, "io.unsafe", "extract", name, "into")
    assert not (root / "into").exists()


@pytest.mark.parametrize(
    "written",
    [
        {"operation": "copy", "source": "relative", "target": "/x"},
        {"operation": "copy", "source": "/a/../b", "target": "/x"},
        {"operation": "copy", "source": "/a"},
        {"operation": "delete", "source": "/a", "target": "/b"},
        {"operation": "copy", "source": "/a", "target": "/a/b"},
        {"operation": "sync", "source": "/a/b", "target": "/a"},
        {"operation": "clean_up", "source": "/a"},
        {"operation": "archive", "source": "/a", "target": "/b.rar"},
        {"operation": "compress", "source": "/a", "target": "/b.zip"},
        {"operation": "extract", "source": "/a.rar", "target": "/b"},
        {"operation": "copy", "source": "/a", "target": "/b", "older_than": "1d"},
        {"operation": "move", "source": "/a", "target": "/b", "include": ["*"]},
    ],
)
def test_mistakes_are_found_when_they_are_written(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(written)


def test_a_cancel_in_the_middle_leaves_the_old_file(do: Do, root: Path) -> None:
    (root / "big").write_bytes(bytes(5 * 2**20))
    (root / "old").write_text("old")
    out = Heard()
    settings = Settings(
        operation="copy", source=str(root / "big"), target=str(root / "old"), exists="replace"
    )
    out.end()
    with pytest.raises(Ended):
        work({**plain(settings), "roots": [str(root)], "mark": "1"}, out)
    assert (root / "old").read_text() == "old"
    assert tree(root) == {"big", "old"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted by root")
def test_a_full_disk_and_another_file_system_are_told(do: Do, root: Path) -> None:
    small = root / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (root / "big").write_bytes(bytes(2 * 2**20))
        refused(do, "io.full", "copy", "big", "small/big")
        assert tree(small) == set()
        plant(root, "a/b")
        assert "another file system" in " ".join(do("move", "a", "small/a"))
        assert (tree(small), (root / "a").exists()) == ({"a", "a/b"}, False)
    finally:
        subprocess.run(["umount", str(small)], check=True)
