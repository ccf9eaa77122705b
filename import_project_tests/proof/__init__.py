"""The faults that must be survived, one by one: a catalogue, the tests that prove it, and an oracle outside of the process."""
