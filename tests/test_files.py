"""Outputs go where a path leads: links, modes, pipes, inputs, folders that are read-only."""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.errors import InputError, WorkspaceError
from perovshell.files import refuse_output, write_atomically, write_file, write_output
from privileges import run_unprivileged


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    yield
    os.umask(before)


@contextmanager
def full_disk() -> Iterator[None]:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", fail)
        yield


# Links ---------------------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> tuple[Path, Path]:
    """A link, and the file in another folder that it leads to over a second link."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    target, link = tmp_path / "there" / "real.csv", tmp_path / "here" / "link.csv"
    target.write_text("before")
    (tmp_path / "here" / "between.csv").symlink_to("../there/real.csv")
    link.symlink_to("between.csv")
    return link, target


def test_links_are_followed_into_another_folder(linked: tuple[Path, Path]) -> None:
    link, target = linked
    write_output(link, b"after")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"
    assert not target.is_symlink()
    assert names(target.parent) == ["real.csv"]


def test_a_dangling_link_makes_the_file_it_names(linked: tuple[Path, Path]) -> None:
    link, target = linked
    target.unlink()
    write_output(link, b"after")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"


def test_folders_are_made_behind_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "reports").symlink_to(tmp_path / "big disk" / "reports")
    write_file(tmp_path / "reports" / "a.html", "page")
    assert (tmp_path / "reports").is_symlink()
    assert (tmp_path / "big disk" / "reports" / "a.html").read_text() == "page\n"


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(OSError, match="Too many levels"):
        write_output(tmp_path / "one", b"")
    with pytest.raises(WorkspaceError, match=r"one: cannot be written \(Too many levels"):
        write_file(tmp_path / "one", "")


def test_all_names_of_a_file_keep_showing_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("a longer text than what comes after it")
    second.hardlink_to(first)
    write_output(second, b"after")
    assert first.read_bytes() == b"after"
    assert first.samefile(second)


# Modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755, 0o604])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    with umask(0o022):
        write_output(path, b"after")
    assert (mode_of(path), path.read_bytes()) == (mode, b"after")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    with umask(mask):
        write_output(tmp_path / "file", b"")
        write_atomically(tmp_path / "other", b"")
        write_output(tmp_path / "private", b"", mode=0o600)
    modes = [mode_of(tmp_path / name) for name in ("file", "other", "private")]
    assert modes == [mode, mode, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_keeps_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o640)
    os.chown(path, 12345, 54321)
    write_output(path, b"after")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)
    assert mode_of(path) == 0o640


def test_where_the_owner_cannot_be_kept_the_file_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("before, and longer")
    inode = path.stat().st_ino

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr("perovshell.files._make_alike", refuse)
    write_output(path, b"after")
    assert (path.stat().st_ino, path.read_bytes()) == (inode, b"after")
    assert names(tmp_path) == ["file"]


# Pipes and devices ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_pipe_is_written_into_and_stays(tmp_path: Path, *, is_linked: bool) -> None:
    pipe = path = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    if is_linked:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_output(path, b"rows" * 100_000)  # More than a pipe holds.
    reader.join(30)
    assert read == [b"rows" * 100_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert mode_of(pipe) == 0o600


def test_an_open_descriptor_is_written_into_where_it_is(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"header\n")
        file.flush()
        write_output(Path(f"/dev/fd/{file.fileno()}"), b"rows\n")
    assert (tmp_path / "file").read_bytes() == b"header\nrows\n"


WRITE = "from pathlib import Path; from perovshell.files import *; write_output(Path({!r}), b'new')"


def test_the_standard_output_is_appended_to(tmp_path: Path) -> None:
    code = "print('header'); " + WRITE.format("/dev/stdout") + "; print(' rest')"
    assert run_unprivileged("-c", code, cwd=tmp_path).stdout == "header\nnew rest\n"


# Whole or not at all -------------------------------------------------------------------------


@given(before=st.none() | st.binary(max_size=50), after=st.binary(max_size=50))
def test_a_full_disk_leaves_what_was_there(
    tmp_path_factory: pytest.TempPathFactory, before: bytes | None, after: bytes
) -> None:
    path = tmp_path_factory.mktemp("full") / "file"
    if before is not None:
        path.write_bytes(before)
    with full_disk(), pytest.raises(OSError, match="No space left"):
        write_output(path, after)
    assert (path.read_bytes() if path.exists() else None) == before
    write_output(path, after)
    assert path.read_bytes() == after
    assert names(path.parent) == ["file"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    write_output(path, b"after")
    assert path.read_bytes() == b"after"


def test_a_folder_or_a_missing_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_output(tmp_path, b"")
    with pytest.raises(FileNotFoundError):
        write_output(tmp_path / "nowhere" / "file", b"")


def test_a_protected_file_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o444)
    done = run_unprivileged("-c", WRITE.format("file"), cwd=tmp_path)
    assert done.stderr.endswith("/file'\n")
    assert "Permission denied" in done.stderr
    assert (path.read_text(), mode_of(path)) == ("before", 0o444)


def test_a_file_in_a_read_only_folder_can_be_written_and_none_be_made(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("before")
    folder.chmod(0o555)
    assert run_unprivileged("-c", WRITE.format("folder/file"), cwd=tmp_path).returncode == 0
    assert (folder / "file").read_text() == "new"
    done = run_unprivileged("-c", WRITE.format("folder/other"), cwd=tmp_path)
    assert "Permission denied" in done.stderr
    assert names(folder) == ["file"]


# Inputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["itself", "symbolic", "hard", "dotted", "in a folder"])
def test_an_input_is_no_output(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text("rows")
    output, inputs = tmp_path / "out.csv", [source]
    match kind:
        case "itself":
            output = source
        case "symbolic":
            output.symlink_to(source)
        case "hard":
            output.hardlink_to(source)
        case "dotted":
            output = tmp_path / ".." / tmp_path.name / "in.csv"
        case _:
            output, inputs = source, [tmp_path]
    with pytest.raises(InputError, match=r"is an input \(.*\) and would be overwritten"):
        refuse_output(output, inputs)


def test_another_file_of_the_same_content_is_an_output(tmp_path: Path) -> None:
    for name in ("in.csv", "out.csv"):
        (tmp_path / name).write_text("rows")
    refuse_output(tmp_path / "out.csv", [tmp_path / "in.csv", tmp_path / "missing.csv"])
    refuse_output(tmp_path / "new.csv", [tmp_path / "in.csv"])
    assert names(tmp_path) == ["in.csv", "out.csv"]
