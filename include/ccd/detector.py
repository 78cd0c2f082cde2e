"""The geometry and electronics of a detector, and the amplifiers of one raw array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from include.ccd.converters import integer
from include.ccd.errors import BadHeader
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
            raise BadHeader("bad_section", f"{found.fits()} leaves the array of shape {shape}")
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
    """One of several amplifiers, in constant sections of the FITS convention."""

    data: str
    placed: str
    overscan: str | None = None
    gain_e_per_adu: float | None = None
    read_noise_e: float | None = None

    def __post_init__(self) -> None:
        self.resolve(None, None)

    def resolve(self, gain: float | None, read_noise: float | None) -> Amplifier:
        """The amplifier; what it does not say of its electronics is the detector's."""
        return Amplifier(
            Section.from_fits(self.data),
            None if self.overscan is None else Section.from_fits(self.overscan),
            Section.from_fits(self.placed),
            gain if self.gain_e_per_adu is None else self.gain_e_per_adu,
            read_noise if self.read_noise_e is None else self.read_noise_e,
        )


@dataclass(frozen=True, slots=True)
class Detector:
    """Geometry and electronics.

    Attributes
    ----------
    width_px, height_px : int or None
        Size of the raw array; a frame of another size is refused. None: any size.
    gain_e_per_adu, read_noise_e, saturation_adu : float or None
        Constants of the whole detector; a field of the same name is asked first.
    data, overscan : Area or None
        Of a detector with one amplifier. Without `data` it is what the overscan leaves.
    amplifiers : tuple of AmplifierArea
        Of a detector with several; then `data` and `overscan` are not used.
    """

    width_px: int | None = None
    height_px: int | None = None
    gain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    saturation_adu: float | None = None
    data: Area | None = None
    overscan: Area | None = None
    amplifiers: tuple[AmplifierArea, ...] = ()

    def __post_init__(self) -> None:
        if self.amplifiers and (self.data or self.overscan):
            raise ValueError("either amplifiers, or data and overscan")

    def split(
        self,
        cards: Cards,
        shape: tuple[int, int],
        *,
        gain_e_per_adu: float | None,
        read_noise_e: float | None,
    ) -> tuple[Amplifier, ...]:
        """The amplifiers of a raw array of shape (ny, nx).

        Raises
        ------
        BadHeader
            The array has another size than the detector, or a section leaves it.
        """
        expected = (self.height_px or shape[0], self.width_px or shape[1])
        if shape != expected:
            raise BadHeader("wrong_shape", f"array of {shape}, the detector gives {expected}")
        if not self.amplifiers:
            data, overscan = self._single(cards, shape)
            placed = Section.whole(data.shape)
            return (Amplifier(data, overscan, placed, gain_e_per_adu, read_noise_e),)
        found = tuple(area.resolve(gain_e_per_adu, read_noise_e) for area in self.amplifiers)
        for amplifier in found:
            sections = (amplifier.data, amplifier.overscan or amplifier.data)
            if not all(section.within(shape) for section in sections):
                raise BadHeader("wrong_shape", f"amplifier {amplifier.data.fits()} of {shape}")
        return found

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
