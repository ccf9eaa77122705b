"""The faults that must be survived, one by one: a catalogue, the tests that prove it, and an oracle outside of the process."""

import pytest

pytest.register_assert_rewrite("import_project_tests.proof.oracle")
