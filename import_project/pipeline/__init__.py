"""The use cases in the order they happen: see, receive, read, validate, reconcile, post, conclude. Plain Python;
Dagster, the command line and the demo are callers. `parts` says what a use case works with, `wiring` builds it."""
