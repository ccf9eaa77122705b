"""Frames to accepted and quarantined rows, with reasons. The only room that calls Pandera."""
