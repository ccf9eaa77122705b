"""Asset checks of feeds. Those that block stop what comes after: nothing is posted, and no file is done. What they look
at is `pipeline.quality`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from import_project.config.load import LoadedFeed
from import_project.defs.alerts import record
from import_project.defs.metadata import table_of
from import_project.pipeline import quality
from import_project.pipeline.dry_run import file_id
from import_project.pipeline.hold import let_go
from import_project.pipeline.parts import Parts

_LET_GO = quality.Verdict(passed=True, told="its tables were let go; it was checked when it was imported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check of one asset of a file; its look's docstring says what it proves."""

    name: str
    look: Callable[[Parts, LoadedFeed, str], quality.Verdict]
    blocking: bool = False

    def spec(self, feed: str, asset: str) -> dg.AssetCheckSpec:
        """Return what Dagster is told of it."""
        told = " ".join((self.look.__doc__ or "").split())
        return dg.AssetCheckSpec(
            self.name,
            asset=dg.AssetKey([feed, asset]),
            description=told,
            blocking=self.blocking,
        )

    def result(self, parts: Parts, loaded: LoadedFeed, asset: str, partition: str) -> dg.AssetCheckResult:
        """Look at a file, by its partition."""
        arrival = parts.ledger.arrivals.of(loaded.name, partition)
        if let_go(parts, arrival):
            verdict = _LET_GO
        else:
            verdict = self.look(parts, loaded, file_id(parts, loaded.name, partition) or "")
        table = {} if verdict.table is None else {"table": table_of(verdict.table)}
        return dg.AssetCheckResult(
            passed=verdict.passed,
            check_name=self.name,
            asset_key=dg.AssetKey([loaded.name, asset]),
            severity=dg.AssetCheckSeverity.ERROR if self.blocking else dg.AssetCheckSeverity.WARN,
            description=f"{arrival.name}: {verdict.told}",
            metadata={"file": arrival.name, **verdict.numbers, **table},
        )


_ROWS = (Check(name="rows_conserved", look=quality.rows_conserved, blocking=True),)
_STATEMENTS = (
    Check(name="control_totals", look=quality.control_totals),
    Check(name="balance_continuity", look=quality.balance_continuity),
)
_QUARANTINED = (Check(name="quarantine_rate", look=quality.quarantine_rate),)
_OF_ROWS: Mapping[str, Sequence[Check]] = {
    "accepted": _ROWS,
    "quarantined": _QUARANTINED,
    "posted_rows": (
        Check(name="conserved", look=quality.rows_decided, blocking=True),
        Check(name="duplicates", look=quality.duplicates),
    ),
}
_OF_PAYMENTS: Mapping[str, Sequence[Check]] = {
    "accepted": (*_ROWS, *_STATEMENTS),
    "quarantined": _QUARANTINED,
    "open_invoices": (
        Check(name="fresh", look=quality.fresh, blocking=True),
        Check(name="overdue", look=quality.overdue),
    ),
    "matches": (
        Check(name="conserved", look=quality.money_conserved, blocking=True),
        Check(name="duplicates", look=quality.duplicates),
    ),
}


def checks_of(loaded: LoadedFeed, asset: str) -> Sequence[Check]:
    """Return the checks of an asset of a feed."""
    return (_OF_ROWS if loaded.feed.kind == "rows" else _OF_PAYMENTS).get(asset, ())


def specs_of(loaded: LoadedFeed, *assets: str) -> list[dg.AssetCheckSpec]:
    """Return what Dagster is told of the checks of some assets."""
    return [check.spec(loaded.name, asset) for asset in assets for check in checks_of(loaded, asset)]


def results_of(parts: Parts, loaded: LoadedFeed, asset: str, partition: str) -> list[dg.AssetCheckResult]:
    """Check an asset of a file, and tell people of what fails, once; a dry run tells nobody."""
    found = [check.result(parts, loaded, asset, partition) for check in checks_of(loaded, asset)]
    for one in found:
        if one.passed or parts.dry_run:
            continue
        blocked = one.severity is dg.AssetCheckSeverity.ERROR
        what = "blocked" if blocked else f"a warning ({one.check_name})"
        key = f"check:{one.check_name}:{loaded.name}:{partition}"
        record(
            parts,
            key,
            f"{loaded.name}: {what}: {one.description}",
            {"feed": loaded.name, "file": partition, "check": one.check_name or ""},
        )
    return found
