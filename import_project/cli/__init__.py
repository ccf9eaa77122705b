"""The command line: `import-project`. Thin: it reads arguments, calls the rooms below, and prints."""
