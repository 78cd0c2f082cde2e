"""An alert as a VOEvent 2.0 packet.

The format: Seaman et al. (2011), "Sky Event Reporting Metadata (VOEvent) Version 2.0", IVOA
Recommendation, https://www.ivoa.net/documents/VOEvent/20110711/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from include.corral.outbox import printable
from include.corral.sky_event import Magnitude, Place, SkyEvent
from models.alert import Alert

NAMESPACE = "http://www.ivoa.net/xml/VOEvent/v2.0"
SCHEMA = f"{NAMESPACE} {NAMESPACE.removesuffix('/v2.0')}/VOEvent-v2.0.xsd"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
# Brokers take some tens of kilobytes.
LONGEST_TEXT = 4000

ET.register_namespace("voe", NAMESPACE)
ET.register_namespace("xsi", XSI)


def voevent(
    alert: Alert, event: SkyEvent, *, stream: str, role: str, contact: Mapping[str, str]
) -> bytes:
    """Give the packet: of the same alert always the same bytes.

    Parameters
    ----------
    alert
        Whose Message-ID is the end of the ``ivorn``, and whose text is the description.
    event
        What was seen.
    stream
        Authority and resource of the identifiers: ``example.org/toritos``.
    role
        ``observation`` or ``test``.
    contact
        ``contactName``, ``contactEmail``; empty ones are left out.

    Returns
    -------
    bytes
        XML in UTF-8.
    """
    names = {"version": "2.0", "role": role, "ivorn": f"ivo://{stream}#{local_id(alert)}"}
    root = ET.Element(f"{{{NAMESPACE}}}VOEvent", names | {f"{{{XSI}}}schemaLocation": SCHEMA})
    _who(root, alert, stream, contact)
    _what(root, event)
    _where_when(root, event)
    _why(root, event, alert)
    _add(root, "Description", printable(alert.body)[:LONGEST_TEXT])
    ET.indent(root)
    packet: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return packet


def local_id(alert: Alert) -> str:
    """Give the part of the alert's Message-ID that is the same in a file name and a URI."""
    return alert.message_id.strip("<>").partition("@")[0]


def _who(root: ET.Element, alert: Alert, stream: str, contact: Mapping[str, str]) -> None:
    who = _add(root, "Who")
    _add(who, "AuthorIVORN", f"ivo://{stream}")
    _add(who, "Date", _iso(alert.created_at))
    known = {name: value for name, value in contact.items() if value}
    if known:
        author = _add(who, "Author")
        for name, value in known.items():
            _add(author, name, _line(value))


def _what(root: ET.Element, event: SkyEvent) -> None:
    what = _add(root, "What")
    if event.name:
        _parameter(what, "name", event.name, ucd="meta.id")
    if event.score is not None:
        _parameter(what, "score", event.score, ucd="meta.code.qual")
    for magnitude in event.magnitudes:
        _magnitude(what, magnitude)


def _magnitude(what: ET.Element, magnitude: Magnitude) -> None:
    group = _add(what, "Group", name="magnitude")
    _parameter(group, "mag", magnitude.mag, ucd="phot.mag", unit="mag")
    if magnitude.mag_err is not None:
        _parameter(group, "mag_err", magnitude.mag_err, ucd="stat.error;phot.mag", unit="mag")
    if magnitude.filter:
        _parameter(group, "filter", magnitude.filter, ucd="instr.bandpass")


def _parameter(parent: ET.Element, name: str, value: str | float, **attributes: str) -> None:
    text = _line(value) if isinstance(value, str) else repr(float(value))
    kind = "string" if isinstance(value, str) else "float"
    _add(parent, "Param", name=name, value=text, dataType=kind, **attributes)


def _where_when(root: ET.Element, event: SkyEvent) -> None:
    location = _add(_add(root, "WhereWhen"), "ObsDataLocation")
    _observatory(location, event.observatory)
    coords = _coordinates(_add(location, "ObservationLocation"), "UTC-ICRS-TOPO")
    instant = _add(_add(coords, "Time", unit="s"), "TimeInstant")
    _add(instant, "ISOTime", _iso(event.observed_at))
    position = _add(coords, "Position2D", unit="deg")
    _numbers(position, "Value2", {"RA": event.ra_deg, "Dec": event.dec_deg})
    _add(position, "Error2Radius", repr(float(event.error_deg)))


def _observatory(location: ET.Element, place: Place) -> None:
    site = _add(location, "ObservatoryLocation", id=_line(place.name))
    coords = _coordinates(site, "UTC-GEOD-TOPO")
    numbers = {
        "longitude": place.longitude_deg,
        "latitude": place.latitude_deg,
        "elevation": place.elevation_m,
    }
    _numbers(_add(coords, "Position3D", unit="deg-deg-m"), "Value3", numbers)


def _coordinates(parent: ET.Element, system: str) -> ET.Element:
    _add(parent, "AstroCoordSystem", id=system)
    return _add(parent, "AstroCoords", coord_system_id=system)


def _numbers(parent: ET.Element, tag: str, numbers: Mapping[str, float]) -> None:
    for number, name in enumerate(numbers, start=1):
        _add(parent, f"Name{number}", name)
    values = _add(parent, tag)
    for number, value in enumerate(numbers.values(), start=1):
        _add(values, f"C{number}", repr(float(value)))


def _why(root: ET.Element, event: SkyEvent, alert: Alert) -> None:
    sure = {} if event.score is None else {"importance": repr(float(event.score))}
    why = _add(root, "Why", **sure)
    _add(why, "Concept", _line(event.concept))
    _add(why, "Description", _line(alert.subject))


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    made = ET.SubElement(parent, tag, attributes)
    made.text = text
    return made


def _iso(moment: datetime) -> str:
    """Give UTC without a zone, as the recommendation asks (section 3.5.2)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _line(text: str) -> str:
    """Give what XML can hold: no line ends, no control characters, no half characters."""
    return printable(text).replace("\n", " ").replace("\t", " ")[:LONGEST_TEXT]
