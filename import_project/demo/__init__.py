"""A whole installation on one machine to try things with: an SFTP server, a receiving API, and files for both feeds.

Nothing outside the demo imports from here, except tests that want a real peer.
"""
