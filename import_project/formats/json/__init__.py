"""JSON and JSON lines: each object a row, numbers as they are written, nested objects as `outer.inner` columns."""
