"""The Dagster shell: assets, sensors, partitions, resources, jobs. Short bodies that call `pipeline`; no rules of its own.
Dagster is imported here and in `definitions` only."""
