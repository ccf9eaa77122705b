"""Where alerts go: webhook, e-mail, Python. What is worth one, and that it arrives once, is decided elsewhere."""
