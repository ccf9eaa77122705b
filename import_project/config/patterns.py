"""Which file names a pattern means: a glob, a regular expression, or a glob with a date in it. Pure: time is given."""

import fnmatch
import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo

_PARTS = {"YYYY": r"(?:19|20)\d\d", "MM": r"(?:0[1-9]|1[0-2])", "DD": r"(?:0[1-9]|[12]\d|3[01])"}
_PARTS |= {"HH": r"(?:[01]\d|2[0-3])", "mm": r"[0-5]\d", "ss": r"[0-5]\d"}
_TOKENS = {part: [part] for part in _PARTS} | {"YYYY-MM-DD": ["YYYY", "-", "MM", "-", "DD"]}
_TOKENS |= {"YYYYMMDD": ["YYYY", "MM", "DD"]}
_FORMATS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_BRACES = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")


def matcher(*, glob: str | None = None, regex: str | None = None) -> Callable[[str], bool]:
    """Return a test for whole names, case-sensitive. Raises re.error for a malformed regular expression."""
    compiled = re.compile(regex if regex is not None else fnmatch.translate(glob or "*"))
    return lambda name: compiled.fullmatch(name) is not None


def rendered(template: str, moment: datetime) -> str:
    """Fill a template's tokens with a moment, on its own clock. Raises ValueError for an unknown token."""
    return _BRACES.sub(lambda found: moment.strftime("".join(_FORMATS.get(p, p) for p in _parts(found[1]))), template)


def _parts(token: str) -> list[str]:
    if token not in _TOKENS:
        raise ValueError(f"unknown {{{token}}}; known are {', '.join(f'{{{t}}}' for t in _TOKENS)}")
    return _TOKENS[token]


class DatedGlob:
    """A glob with any of {YYYY} {MM} {DD} {HH} {mm} {ss} {YYYY-MM-DD} {YYYYMMDD} in it.

    It means the names whose moment has come, on the clock of `zone`, and is at most `days_back` days past; None:
    however long past, so that a file that comes late is not lost. Raises ValueError for a template that cannot be used.
    """

    def __init__(self, template: str, zone: tzinfo, days_back: int | None = None) -> None:
        self._zone, self._days_back = zone, days_back
        self._groups: list[str] = []
        tokens = [_parts(found[1]) for found in _BRACES.finditer(template)]
        if not tokens:
            raise ValueError(
                f"{template!r} holds no date; use glob, or one of {', '.join(f'{{{t}}}' for t in _TOKENS)}"
            )
        given = {part for token in tokens for part in token}
        for needs, part in (("YYYY", "MM"), ("MM", "DD"), ("HH", "mm"), ("mm", "ss")):
            if part in given and needs not in given:
                raise ValueError(f"{template!r} holds {{{part}}} and no {{{needs}}}")
        numbered = (f"\ue000{n}\ue001" for n in range(len(tokens)))
        translated = fnmatch.translate(_BRACES.sub(lambda _: next(numbered), template))
        self._regex = re.compile(_PLACEHOLDER.sub(lambda found: self._group(tokens[int(found[1])]), translated))

    def _group(self, parts: list[str]) -> str:
        text = ""
        for part in parts:
            if part in _PARTS:
                self._groups.append(part)
            text += f"(?P<g{len(self._groups)}>{_PARTS[part]})" if part in _PARTS else re.escape(part)
        return text

    def moment(self, name: str) -> datetime | None:
        """Return the moment in a name, on the zone's clock and without a zone of its own; None when it does not fit.

        What the name does not say is the start: of the year, month, day, hour or minute. Without a year it is year 1.
        """
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        values: dict[str, str] = {}
        for part, value in zip(self._groups, found.groups(), strict=True):
            if values.setdefault(part, value) != value:
                return None
        order = [int(values.get(part, default)) for part, default in zip(_PARTS, "111000", strict=True)]
        try:
            return datetime(*order)  # type: ignore[arg-type]  # noqa: DTZ001 - a wall clock's reading
        except ValueError:
            return None  # the 31st of a shorter month

    def matcher(self, now: datetime) -> Callable[[str], bool]:
        """Return a test for whole names at `now` (aware)."""
        here = now.astimezone(self._zone).replace(tzinfo=None)
        earliest = date.min if self._days_back is None else here.date() - timedelta(days=self._days_back)

        def wanted(name: str) -> bool:
            moment = self.moment(name)
            if moment is None or "YYYY" not in self._groups:
                return moment is not None
            return moment <= here and self._last_day(moment) >= earliest

        return wanted

    def _last_day(self, moment: datetime) -> date:
        """Return the last day a name may mean: one that says no day means the whole month or year."""
        if "DD" in self._groups:
            return moment.date()
        month = moment.month if "MM" in self._groups else 12
        return date(moment.year, month, monthrange(moment.year, month)[1])
