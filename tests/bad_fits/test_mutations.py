"""Damage that nobody listed ends in one of four verdicts, and never in a silent wrong number.

`make chaos` runs the long form: CORRAL_CHAOS_EXAMPLES files per property from a seed, which is
printed; the same SEED gives the same files again. A failing example names its base and its
mutations: `settle(write(mutated(base(…), […])))` tries it again.
"""

from __future__ import annotations

import gzip
import os
import random as system_random
import resource
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from include.ccd.errors import BadFits
from include.ccd.fits_content import Request, examine
from include.ccd.fits_file import open_regular
from include.ccd.profile import Profile, load_profile
from tests.bad_fits.frames import CARD, header, pad, profile, random, scene, store
from tests.bad_fits.mutate import BASES, MUTATIONS, Mutation, base, mutated
from tests.bad_fits.settle import settle
from tests.bad_fits.twin import sums_hold
from tests.chaos.table import PROPERTY

EXAMPLES = int(os.environ.get("CORRAL_CHAOS_EXAMPLES", "5000"))
SEED = int(os.environ.get("SEED") or system_random.SystemRandom().randrange(2**32))
SHIPPED = Path(__file__).resolve().parents[2] / "include" / "toritos" / "profiles"
ROOM = 1_500_000  # kilobytes, of pytest and everything it has imported

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
quick = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=CHECKS)
long = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=CHECKS)

numbers = st.integers(0, 2**32 - 1)
damage = st.lists(st.tuples(st.sampled_from(sorted(MUTATIONS)), numbers), min_size=1, max_size=4)
bases = st.sampled_from(sorted(BASES))
cards = st.one_of(
    st.binary(min_size=CARD, max_size=CARD),
    st.text(st.characters(max_codepoint=255), max_size=CARD).map(
        lambda text: text.encode("latin-1").ljust(CARD)
    ),
    st.tuples(
        st.sampled_from(
            ["EXPTIME", "DATE-OBS", "NAXIS1", "BZERO", "FILTER", "OBJECT", "BLANK", "JD"]
        ),
        st.one_of(
            st.floats().map(repr),
            st.integers().map(str),
            st.text(max_size=60).map(lambda text: "'" + text.replace("'", "''") + "'"),
            st.datetimes().map(lambda at: f"'{at.isoformat()}'"),
            st.booleans().map(lambda value: "T" if value else "F"),
        ),
    ).map(lambda pair: f"{pair[0]:<8}= {pair[1]}".encode("latin-1", "replace")[:CARD].ljust(CARD)),
)


def settled(name: str, content: bytes, camera: Profile | None = None) -> tuple[str, str]:
    """What becomes of a file with that content, after everything that can be checked was."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return settle(path, camera or profile("plain"), values=camera is None)


def check_damaged(name: str, mutations: list[Mutation]) -> tuple[str, str]:
    """A good file, damaged."""
    content = mutated(base(name), mutations)
    verdict, why = settled(BASES[name][0], content)
    if "summed" in name and verdict in {"OK", "FLAG"} and "trailing_bytes" not in why:
        assert sums_hold(content)
    return verdict, why


def check_cut(name: str, part: float) -> tuple[str, str]:
    """A good file that is still arriving: never refused, and never taken for another."""
    content = base(name)
    verdict, why = settled(BASES[name][0], content[: int(len(content) * part)])
    assert verdict in {"WAIT", "OK", "FLAG"}
    assert verdict == "WAIT" or part == 1 or why == "padding_missing" or name == "extensions"
    return verdict, why


def check_header(found: list[bytes]) -> tuple[str, str]:
    """A frame with cards that nobody would write, in the place of those it had."""
    mine = {card[:8].decode("latin-1").strip() for card in found} - {"NAXIS1", "BZERO"}
    return settled("a.fits", header(drop=mine, extra=found) + pad(store(scene(random(1)))))


@quick
@given(bases, damage)
def test_any_damage_ends_in_a_verdict_or_in_the_right_numbers(
    name: str, mutations: list[Mutation]
) -> None:
    """Bits, blocks, cards, cuts, byte order, compression: alone and together."""
    check_damaged(name, mutations)


@quick
@given(bases, st.floats(0, 1))
def test_a_file_that_is_still_arriving_is_waited_for(name: str, part: float) -> None:
    """Wherever it stands at the moment."""
    check_cut(name, part)


@quick
@given(st.lists(cards, min_size=1, max_size=12))
def test_any_header_ends_in_a_verdict_or_in_the_right_numbers(found: list[bytes]) -> None:
    """Random cards, and cards of ours with random values."""
    check_header(found)


@quick
@given(st.sampled_from(["gzip", "rice", "gzip tiles"]), numbers)
def test_a_spoilt_stream_never_gives_other_pixels(name: str, number: int) -> None:
    """One flipped bit in a gzip stream is found; in tiles it is found or harmless or astropy's."""
    rng = random(number)
    content = bytearray(base(name))
    content[int(rng.integers(0, len(content)))] ^= 1 << int(rng.integers(8))
    settled(BASES[name][0], bytes(content))


def test_zeros_and_noise_end_in_a_verdict() -> None:
    """Of any length."""
    rng = random(3)
    found: Counter[str] = Counter()
    for size in (0, 1, 79, 80, 2879, 2880, 2881, 5760, 100_000):
        for content in (bytes(size), rng.bytes(size), b"SIMPLE  =" + rng.bytes(size)):
            found[settled("a.fits", content)[0]] += 1
            found[settled("a.fits.gz", gzip.compress(content))[0]] += 1

    assert set(found) == {"WAIT", "QUARANTINE"}


REAL = {
    "kpno": "kpno_m92_1987/raw/m92010.fits",
    "nickel": "nickel_2024-05-13/raw/d1059.fits",
    "eaba": "toros_eaba_2015/aligned/aligned_eso085-030-004.fit",
    "microobs": "microobs_hatp32_2017-12-20/raw/HATP-32171220013343.fits.gz",
}


@pytest.fixture(scope="session")
def real_frames(real_data: Path) -> dict[str, tuple[str, bytes]]:
    """One frame of each real camera, with few rows of pixels where its profile allows that."""
    frames = {}
    for name, place in REAL.items():
        content = (real_data / place).read_bytes()
        frames[name] = (
            Path(place).name,
            content if name in {"kpno", "microobs"} else _few_rows(content),
        )
    return frames


def _few_rows(content: bytes) -> bytes:
    """The first eight rows of a frame, with the header that it has."""
    at = content.index(b"END".ljust(CARD))
    data = -(-(at + CARD) // 2880) * 2880
    cards = {content[i : i + 8]: i for i in range(0, at, CARD)}
    width = int(content[cards[b"NAXIS1  "] + 10 :][:20])
    rows = cards[b"NAXIS2  "]
    fewer = b"NAXIS2  =                    8".ljust(CARD)
    short = content[:rows] + fewer + content[rows + CARD : data]
    return pad(short + content[data : data + 16 * width])


def check_real(frames: dict[str, tuple[str, bytes]], name: str, mutations: list[Mutation]) -> Any:
    """A real frame, damaged, read by the profile of its camera."""
    file_name, content = frames[name]
    camera = load_profile(SHIPPED / f"{name}.toml")
    return settled(file_name, mutated(content, mutations), camera)


def test_the_real_frames_are_good_to_begin_with(real_frames: dict[str, tuple[str, bytes]]) -> None:
    """Also with few rows."""
    verdicts = {name: check_real(real_frames, name, [])[0] for name in real_frames}

    assert verdicts == {"kpno": "OK", "nickel": "OK", "eaba": "OK", "microobs": "FLAG"}


@settings(quick, max_examples=60)
@given(name=st.sampled_from(sorted(REAL)), mutations=damage)
def test_damage_of_real_frames_ends_in_a_verdict_or_in_the_right_numbers(
    real_frames: dict[str, tuple[str, bytes]], name: str, mutations: list[Mutation]
) -> None:
    """Headers of four cameras, by their own profiles."""
    check_real(real_frames, name, mutations)


@pytest.mark.chaos
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("check", "strategies"),
    [
        (check_damaged, (bases, damage)),
        (check_cut, (bases, st.floats(0, 1))),
        (check_header, (st.lists(cards, min_size=1, max_size=12),)),
    ],
    ids=["damage", "cut", "header"],
)
def test_a_long_run_of_damage_ends_in_verdicts(
    check: Callable[..., tuple[str, str]],
    strategies: tuple[Any, ...],
    record_property: Callable[[str, Any], None],
) -> None:
    """Thousands of files, by a seed that is printed; memory stays where it was."""
    found: Counter[str] = Counter()
    codes: Counter[str] = Counter()

    @seed(SEED)
    @long
    @given(st.tuples(*strategies))
    def run(drawn: tuple[Any, ...]) -> None:
        verdict, why = check(*drawn)
        found[verdict] += 1
        codes[why] += 1

    print(f"\nSEED={SEED} CORRAL_CHAOS_EXAMPLES={EXAMPLES} {check.__name__}", flush=True)
    run()
    print(
        f"{sum(found.values())} files: {dict(found)}; {len(codes)} reasons: {codes.most_common(30)}"
    )
    record_property(
        PROPERTY,
        [f"F18 {check.__name__.replace('check_', 'bad FITS: ')}", sum(found.values()), 0, 0.0, 0],
    )
    assert sum(found.values()) >= EXAMPLES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < ROOM


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_a_long_run_of_damage_to_real_frames_ends_in_verdicts(
    real_frames: dict[str, tuple[str, bytes]], record_property: Callable[[str, Any], None]
) -> None:
    """A fifth as many: they are larger."""
    print(f"\nSEED={SEED} check_real", flush=True)
    found: Counter[str] = Counter()

    @seed(SEED)
    @settings(long, max_examples=EXAMPLES // 5)
    @given(st.sampled_from(sorted(REAL)), damage)
    def run(name: str, mutations: list[Mutation]) -> None:
        found[check_real(real_frames, name, mutations)[0]] += 1

    run()
    print(f"{sum(found.values())} files: {dict(found)}")
    record_property(PROPERTY, ["F18 bad FITS: real frames", sum(found.values()), 0, 0.0, 0])


@pytest.mark.chaos
def test_in_this_process_too_only_bad_fits_comes_out() -> None:
    """What the reader process would hide: examined here, nothing but BadFits is raised."""
    rng = random(SEED % 2**32)
    names = sorted(MUTATIONS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.fits"
        for _ in range(EXAMPLES):
            mutations = [
                (names[rng.integers(len(names))], int(rng.integers(2**32))) for _ in range(3)
            ]
            path.write_bytes(mutated(base(sorted(BASES)[rng.integers(len(BASES))]), mutations))
            try:
                with open_regular(path) as plain:
                    examine(plain, Request(max_pixels=1_000_000, max_bytes=10_000_000))
            except BadFits:
                continue
