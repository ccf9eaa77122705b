"""The receiving API: its client and the sending of frozen postings. What is posted is decided elsewhere."""
