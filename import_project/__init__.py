"""Bank and partner files, imported exactly once. The rooms are drawn in docs/architecture.md."""
