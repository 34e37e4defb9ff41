import errno
import os
import stat

import pytest
from safetensors import SafetensorError

from cultural_sp.utils.files import disk_errors, umask_modes, write_text


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("no number"), "no number"),
        (SafetensorError("I/O error"), "I/O error"),
    ],
)
def test_what_the_disk_refuses_is_one_line(tmp_path, error, reason):
    with (
        pytest.raises(ValueError, match=f"can't write {tmp_path}/x .{reason}.; make room"),
        disk_errors(tmp_path / "x"),
    ):
        raise error


def test_a_file_is_whole_or_as_before(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_text(path, "one")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ValueError, match="can't write"):
        write_text(path, "two")
    assert path.read_text() == "one"


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o027, 0o077])
def test_every_file_has_the_mode_that_the_umask_gives(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.json", "{}")
        for name in ("b.safetensors", "other.txt"):
            (tmp_path / name).touch(0o600)
        umask_modes(tmp_path, "*.safetensors")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"a.json": 0o666 & ~umask, "b.safetensors": 0o666 & ~umask, "other.txt": 0o600}
