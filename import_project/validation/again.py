"""Rows that were quarantined, held against the schema once more, beside the rows of their file that were accepted."""

from collections.abc import Callable, Iterator

import polars as pl

from import_project.frames import ROW_NUMBER, Batch
from import_project.records.issues import Severity
from import_project.validation.look import Looked, Looker, Transform, told
from import_project.validation.repeats import twice
from import_project.validation.rules import Once, Rule, Rules, columns_needed
from import_project.validation.split import Split

#: Gives the named columns of the rows that were accepted, some at a time.
Others = Callable[[list[str]], Iterator[pl.DataFrame]]


def split_again(
    batch: Batch, rules: Rules, *, others: Others, replayed: pl.DataFrame, transform: Transform | None = None
) -> Split:
    """Part rows as `split_rows` does; what may stand in a file once is looked for among the `others` and `replayed`
    too."""
    looked = Looker(rules=rules, transform=transform).look(batch)
    bad, issues = looked.bad, [looked.issues]
    found: list[tuple[Once | Rule, pl.Series]] = [(once, _taken(looked, once, others, replayed)) for once in rules.once]
    if rules.of_file:
        needed = [ROW_NUMBER, *columns_needed(rules.of_file, list(rules.schema.by_name))]
        beside = pl.concat([*(f.select(needed) for f in others(needed)), replayed.select(needed)])
        all_rows = pl.concat([beside, looked.values.select(needed)])
        found += [(rule, rule.hits(all_rows).tail(looked.values.height)) for rule in rules.of_file]
    for rule, hits in found:
        if hits.any():
            given = batch.frame.filter(pl.col(ROW_NUMBER).is_in(looked.values[ROW_NUMBER].implode()))
            issues.append(told(given, hits, rule))
            bad = bad | hits if rule.severity is Severity.ERROR else bad
    accepted = looked.values.filter(~bad)
    quarantined = batch.frame.join(accepted.select(ROW_NUMBER), on=ROW_NUMBER, how="anti", maintain_order="left")
    return Split(
        accepted=accepted, quarantined=quarantined, issues=pl.concat(issues).sort(ROW_NUMBER, maintain_order=True)
    )


def _taken(looked: Looked, once: Once, others: Others, replayed: pl.DataFrame) -> pl.Series:
    """Return which rows have values that an accepted row has, or another good one of these."""
    columns = list(once.columns)
    mine = looked.values.select(ROW_NUMBER, *columns)
    whole = mine.filter(~looked.bad).drop_nulls(columns)
    beside = (*others(columns), replayed.select(columns))
    numbers = [twice(whole, columns), *(whole.join(frame, on=columns, how="semi") for frame in beside)]
    return mine[ROW_NUMBER].is_in(pl.concat(f[ROW_NUMBER] for f in numbers).unique().implode())
