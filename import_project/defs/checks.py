"""Asset checks of bank feeds. They block what comes after: when one fails, nothing is posted and no file is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import dagster as dg

from import_project.config.load import LoadedFeed
from import_project.pipeline.conserve import conservation
from import_project.pipeline.open_invoices import stale
from import_project.pipeline.parts import Parts

Finding = tuple[bool, str, Mapping[str, dg.MetadataValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check of one asset of a file: its name, what it proves, and the look at the file's tables (by sha256)."""

    name: str
    description: str
    look: Callable[[Parts, LoadedFeed, str], Finding]

    def spec(self, asset: dg.AssetKey) -> dg.AssetCheckSpec:
        """Return what Dagster is told of it."""
        return dg.AssetCheckSpec(self.name, asset=asset, description=self.description, blocking=True)

    def result(self, parts: Parts, loaded: LoadedFeed, partition: str) -> dg.AssetCheckResult:
        """Look at a file, by its partition."""
        sha256 = parts.ledger.arrivals.of(loaded.name, partition).sha256 or ""
        passed, told, metadata = self.look(parts, loaded, sha256)
        return dg.AssetCheckResult(
            passed=passed,
            check_name=self.name,
            severity=dg.AssetCheckSeverity.ERROR,
            description=told,
            metadata=dict(metadata),
        )


def _conserved(parts: Parts, loaded: LoadedFeed, sha256: str) -> Finding:
    found = conservation(parts, loaded.name, sha256)
    lines = ["| " + " | ".join(found.money.columns) + " |", "|" + " --- |" * len(found.money.columns)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in found.money.iter_rows()]
    told = found.told or "matched + unmatched + quarantined + repeated = the file, in every currency"
    return (
        found.holds,
        told,
        {"money": dg.MetadataValue.md("\n".join(lines)), "payments": dg.MetadataValue.int(found.payments)},
    )


def _fresh(parts: Parts, loaded: LoadedFeed, sha256: str) -> Finding:
    told = stale(parts, loaded, sha256)
    return told is None, told or "the list is as new as the feed wants it", {}


#: By asset.
CHECKS: Mapping[str, Check] = {
    "open_invoices": Check(name="fresh", description="The list of open invoices is new enough", look=_fresh),
    "matches": Check(name="conserved", description="No money is lost, none comes from nowhere", look=_conserved),
}
