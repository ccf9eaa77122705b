"""The front desk: an HTTP API and the page in front of it. Its use cases are `pipeline`'s; Dagster is not known."""
