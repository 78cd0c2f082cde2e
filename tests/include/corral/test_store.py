"""A product's file is there whole, or it is not there."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.corral.errors import ConfigurationError, StorageTrouble
from include.corral.store import STAGING, ProductStore, contained, safe


class Bytes:
    """A payload of given bytes; what is not bytes is raised."""

    suffix = ".bin"

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def write(self, stream: Any, provenance: Any) -> None:
        for part in self.parts:
            if not isinstance(part, bytes):
                raise part
            stream.write(part)


@pytest.fixture
def store(tmp_path: Path) -> ProductStore:
    """A store whose folder does not exist yet."""
    return ProductStore(tmp_path / "deep" / "products")


def stage(store: ProductStore, *parts: Any, folder: str = "2026-11-20/bias", name: str = "n"):
    return store.stage(Bytes(*parts), {}, folder=folder, name=name)


def visible(store: ProductStore) -> list[str]:
    """Files below the root, staging left out."""
    found = (path.relative_to(store.root) for path in store.root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != STAGING)


def staged(store: ProductStore) -> list[Path]:
    return list((store.root / STAGING).iterdir()) if (store.root / STAGING).exists() else []


def test_staged_file_is_invisible_and_published_whole(store) -> None:
    """Before publication there is nothing to be found, after it everything."""
    content = b"x" * 100_000
    file = stage(store, content[:50_000], content[50_000:])
    assert visible(store) == []
    store.publish(file)
    assert visible(store) == [str(file.path)]
    assert store.locate(file.path).read_bytes() == content
    assert (file.size_bytes, staged(store)) == (100_000, [])
    assert str(file.path) == f"2026-11-20/bias/n-{file.sha256[:12]}.bin"
    assert store.verify(str(file.path), file.sha256)


def test_publishing_the_same_content_again_is_publishing_it_once(store) -> None:
    """Equal bytes have one name; the second file takes the place of its equal."""
    first, second = stage(store, b"same"), stage(store, b"same")
    store.publish(first)
    store.publish(second)
    assert first.path == second.path
    assert visible(store) == [str(first.path)]


def test_other_content_never_overwrites(store) -> None:
    """The hash is in the name."""
    for content in (b"one", b"two"):
        store.publish(stage(store, content))
    assert len(visible(store)) == 2


def test_altered_file_is_not_verified(store) -> None:
    """Shorter, changed, or gone."""
    file = stage(store, b"content")
    store.publish(file)
    place = store.locate(file.path)
    place.write_bytes(b"Content")
    assert not store.verify(str(file.path), file.sha256)
    place.unlink()
    assert not store.verify(str(file.path), file.sha256)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError(errno.ESTALE, "Stale file handle"),
    ],
)
def test_full_or_failing_disk_is_storage_trouble_and_leaves_nothing(store, error) -> None:
    """Half a file is removed at once; it may be tried again."""
    with pytest.raises(StorageTrouble, match=error.strerror):
        stage(store, b"half", error)
    assert staged(store) == []


def test_file_size_limit_leaves_nothing(store) -> None:
    """The limit of the operating system, met in a process of its own."""
    child = multiprocessing.get_context("fork").Process(target=stage_too_much, args=(store,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert staged(store) == []


def stage_too_much(store: ProductStore) -> None:
    """Write more than this process may."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    with pytest.raises(StorageTrouble):
        stage(store, b"x" * 100_000)


@pytest.mark.parametrize("error", [ValueError("bad pixel"), KeyboardInterrupt()])
def test_error_of_the_payload_goes_through_and_leaves_nothing(store, error) -> None:
    """It is not the store's trouble."""
    with pytest.raises(type(error)):
        stage(store, b"half", error)
    assert staged(store) == []


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may write anywhere: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_root_that_may_not_be_written_to_is_a_matter_of_configuration(store, nobody) -> None:
    """No retry helps."""
    with pytest.raises(ConfigurationError, match="mend the permissions"):
        ProductStore(Path("/usr/products")).stage(Bytes(b"x"), {}, folder="f", name="n")


def test_root_that_is_a_file_is_a_matter_of_configuration(tmp_path) -> None:
    """Somebody has named the wrong path."""
    (tmp_path / "products").write_text("not a folder")
    for root in (tmp_path / "products", tmp_path / "products" / "below"):
        with pytest.raises(ConfigurationError):
            ProductStore(root).stage(Bytes(b"x"), {}, folder="f", name="n")


def test_folder_in_the_way_is_not_overwritten(store) -> None:
    """Publishing fails, and the file stays in staging to be discarded."""
    file = stage(store, b"content")
    store.locate(file.path).mkdir(parents=True)
    with pytest.raises(ConfigurationError):
        store.publish(file)
    store.discard(file)
    assert staged(store) == []


ESCAPES = [
    "../outside",
    "a/../../outside",
    "/etc/passwd",
    "link/passwd",
    "loop/x",
    "nul\0byte",
    "a/" * 40 + "../" * 41 + "outside",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_path_that_leads_out_of_the_root_is_not_opened(store, path) -> None:
    """Upwards, absolute, through links, in circles: none is followed."""
    store.root.mkdir(parents=True)
    (store.root / "link").symlink_to("/etc")
    (store.root / "loop").symlink_to(store.root / "loop")
    with pytest.raises(ConfigurationError):
        store.locate(path)


def test_root_behind_a_link_is_still_the_root(tmp_path) -> None:
    """A products' root that is itself a link works, and what is published is synced."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "products").symlink_to(tmp_path / "disk")
    store = ProductStore(tmp_path / "products")
    file = stage(store, b"content")
    store.publish(file)
    assert (tmp_path / "disk" / file.path).read_bytes() == b"content"


@given(st.text(max_size=300))
def test_any_text_becomes_one_harmless_component(text) -> None:
    """Whatever a header says, it names no other folder."""
    component = safe(text)
    assert component not in {"", ".", ".."}
    assert len(component.encode()) <= 100
    assert Path(component).name == component
    root = Path("/srv/products")
    assert contained(root, component) == root / component


@given(st.text(max_size=60), st.text(max_size=60))
def test_names_from_headers_stay_below_the_root(folder, name) -> None:
    """Folder and name of a product may be any text."""
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        store = ProductStore(Path(home) / "products")
        file = store.stage(Bytes(b"x"), {}, folder=folder, name=name)
        store.publish(file)
        assert store.locate(file.path).is_relative_to(Path(home).resolve() / "products")
