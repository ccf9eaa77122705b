"""Where state lives: landing (raw bytes), tables (Parquet), ledger (what is done). No decisions."""
