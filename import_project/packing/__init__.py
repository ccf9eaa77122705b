"""Unpacks compressed, archived and encrypted files with caps: gz, zst, zip, tar and PGP, also inside each other."""
