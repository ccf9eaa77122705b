"""The rules, a module each. A feed names those it wants, in order."""

from collections.abc import Callable, Mapping

from import_project.matching.rule import Rule
from import_project.matching.rules import (
    discount,
    other_currency,
    overpayment,
    partial,
    payer_and_amount,
    payer_and_sum,
    reference,
    several_payments,
    several_references,
    similar_name,
    tolerance,
)

#: What makes each rule out of its options, in the order that serves most feeds.
RULES: Mapping[str, Callable[..., Rule]] = {
    one.NAME: one.rule
    for one in (
        reference,
        several_references,
        discount,
        tolerance,
        other_currency,
        partial,
        overpayment,
        payer_and_amount,
        payer_and_sum,
        several_payments,
        similar_name,
    )
}
