"""The geometry and electronics of a detector, and the amplifiers of one raw array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from include.ccd.converters import integer
from include.ccd.errors import BadHeader
from include.ccd.fieldmap import Field
from include.ccd.fits_cards import Cards
from include.ccd.sections import Amplifier, Section


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of the raw array: constant, told by the header, or the last columns.

    Attributes
    ----------
    section : str or None
        Constant, in the FITS convention `[x1:x2,y1:y2]`.
    keyword : str or None
        Keyword that holds such a section: DATASEC, BIASSEC.
    last_columns : int or None
        How many columns at the right end.
    last_columns_keyword : str or None
        Keyword that holds that number: COVER.
    """

    section: str | None = None
    keyword: str | None = None
    last_columns: int | None = None
    last_columns_keyword: str | None = None

    def __post_init__(self) -> None:
        ways = (self.section, self.keyword, self.last_columns, self.last_columns_keyword)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("needs exactly one of section, keyword, last_columns(_keyword)")
        if self.section is not None:
            Section.from_fits(self.section)

    @classmethod
    def from_shorthand(cls, value: object) -> Self:
        """A text is a constant section."""
        return cls(section=str(value))

    def resolve(self, cards: Cards, shape: tuple[int, int]) -> Section | None:
        """The rectangle in an array of shape (ny, nx); None when it is empty.

        Raises
        ------
        BadHeader
            The header does not tell, or the rectangle leaves the array.
        """
        try:
            found = self._locate(cards, shape)
        except ValueError as error:
            raise BadHeader("bad_section", str(error)) from error
        if found is not None and not found.within(shape):
            # a section that the camera never changes tells that the array is another one
            code = "bad_section" if self.section is None else "wrong_shape"
            raise BadHeader(code, f"{found.fits()} leaves the array of shape {shape}")
        return found

    def _locate(self, cards: Cards, shape: tuple[int, int]) -> Section | None:
        if self.section is not None:
            return Section.from_fits(self.section)
        if self.keyword is not None:
            return Section.from_fits(str(cards.get(self.keyword) or ""))
        columns = self.last_columns
        if self.last_columns_keyword is not None:
            columns = integer(cards.get(self.last_columns_keyword))
        if not columns:
            return None
        return Section(0, shape[0], shape[1] - columns, shape[1])


@dataclass(frozen=True, slots=True)
class AmplifierArea:
    """One of several amplifiers: where its pixels are, where they belong, its electronics.

    Attributes
    ----------
    data, overscan : Area
        In the raw array.
    placed : Area
        In the trimmed image.
    gain_e_per_adu, read_noise_e : float, Field or None
        Of this amplifier; the detector's when the header does not tell.
    """

    data: Area
    placed: Area
    overscan: Area | None = None
    gain_e_per_adu: float | Field | None = None
    read_noise_e: float | Field | None = None

    def __post_init__(self) -> None:
        if self.placed.section is None and self.placed.keyword is None:
            raise ValueError("placed needs a section or a keyword")
        if self.data.section is not None and self.placed.section is not None:
            data, placed = map(Section.from_fits, (self.data.section, self.placed.section))
            Amplifier(data, None, placed, None, None)

    def resolve(
        self,
        cards: Cards,
        shape: tuple[int, int],
        *,
        gain_e_per_adu: float | None,
        read_noise_e: float | None,
    ) -> Amplifier:
        """The amplifier in a raw array of shape (ny, nx); what it does not say is the detector's.

        Raises
        ------
        BadHeader
            The header does not tell a section, or it leaves the array.
        """
        data, placed = (area.resolve(cards, shape) for area in (self.data, self.placed))
        overscan = None if self.overscan is None else self.overscan.resolve(cards, shape)
        if data is None or placed is None:
            raise BadHeader("bad_section", "the data section of an amplifier is empty")
        gain = _positive(self.gain_e_per_adu, cards, gain_e_per_adu)
        noise = _positive(self.read_noise_e, cards, read_noise_e)
        try:
            return Amplifier(data, overscan, placed, gain, noise)
        except ValueError as error:
            raise BadHeader("bad_section", str(error)) from error


def _positive(stated: float | Field | None, cards: Cards, otherwise: float | None) -> float | None:
    """A positive number, constant or in the header; the other one when there is none."""
    if isinstance(stated, Field):
        try:
            stated = stated.find(cards)  # type: ignore[assignment]
        except BadHeader:
            stated = None
    return stated if isinstance(stated, float | int) and stated > 0 else otherwise


@dataclass(frozen=True, slots=True)
class Detector:
    """Geometry and electronics.

    Attributes
    ----------
    width_px, height_px : int or None
        Size of the raw array; a frame of another size is refused. None: any size.
    sizes : dict of (width, height) or None
        Sizes of the raw array by binning, ``{"1x1" = [2048, 2048]}``: a frame of another size
        (a window) or of another binning is refused.
    gain_e_per_adu, read_noise_e, saturation_adu : float or None
        Constants of the whole detector; a field of the same name is asked first.
    pedestal_adu : float
        Level without light, of a camera with one amplifier that gives neither overscan nor bias
        frames; taken off where no overscan is.
    data, overscan : Area or None
        Of a detector with one amplifier. Without `data` it is what the overscan leaves.
    amplifiers : tuple of AmplifierArea
        Of a detector with several; then `data` and `overscan` are not used.
    bad_pixels, warm_pixels : dict of str to str
        By binning, ``{"1x1" = "u10.pixels"}``: files beside the profile that list pixels of the
        trimmed frame (`include.ccd.pixel_list`) that become BAD or WARM.
    """

    width_px: int | None = None
    height_px: int | None = None
    gain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    saturation_adu: float | None = None
    pedestal_adu: float = 0.0
    data: Area | None = None
    overscan: Area | None = None
    amplifiers: tuple[AmplifierArea, ...] = ()
    sizes: dict[str, tuple[int, ...]] | None = None
    bad_pixels: dict[str, str] = field(default_factory=dict)
    warm_pixels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.amplifiers and (self.data or self.overscan):
            raise ValueError("either amplifiers, or data and overscan")
        if self.amplifiers and self.pedestal_adu:
            raise ValueError("pedestal_adu is of a camera with one amplifier")
        if self.sizes is not None and (self.width_px or self.height_px):
            raise ValueError("either sizes, or width_px and height_px")
        if any(len(size) != 2 for size in (self.sizes or {}).values()):
            raise ValueError("each of sizes is [width, height]")

    def split(
        self,
        cards: Cards,
        shape: tuple[int, int],
        *,
        gain_e_per_adu: float | None,
        read_noise_e: float | None,
        binning: str = "1x1",
    ) -> tuple[Amplifier, ...]:
        """The amplifiers of a raw array of shape (ny, nx).

        Raises
        ------
        BadHeader
            The array has another size or binning than the detector, or a section leaves it.
        """
        self._check_shape(shape, binning)
        if not self.amplifiers:
            data, overscan = self._single(cards, shape)
            placed = Section.whole(data.shape)
            electronics = (gain_e_per_adu, read_noise_e, self.pedestal_adu)
            return (Amplifier(data, overscan, placed, *electronics),)
        return tuple(
            area.resolve(cards, shape, gain_e_per_adu=gain_e_per_adu, read_noise_e=read_noise_e)
            for area in self.amplifiers
        )

    def _check_shape(self, shape: tuple[int, int], binning: str) -> None:
        expected = (self.height_px or shape[0], self.width_px or shape[1])
        if self.sizes is not None:
            if binning not in self.sizes:
                known = ", ".join(self.sizes)
                raise BadHeader("wrong_binning", f"binning {binning}; the camera uses {known}")
            expected = (self.sizes[binning][1], self.sizes[binning][0])
        if shape != expected:
            raise BadHeader("wrong_shape", f"array of {shape}, the detector gives {expected}")

    def _single(self, cards: Cards, shape: tuple[int, int]) -> tuple[Section, Section | None]:
        overscan = None if self.overscan is None else self.overscan.resolve(cards, shape)
        if self.data is not None:
            data = self.data.resolve(cards, shape)
        elif overscan is not None and overscan.x1 == shape[1] and overscan.x0 > 0:
            data = Section(0, shape[0], 0, overscan.x0)
        else:
            data = Section.whole(shape)
        if data is None:
            raise BadHeader("bad_section", "the data section is empty")
        return data, overscan
