"""The end of a process that has threads of another language."""

import subprocess
import sys

from import_project_tests.http_servers import ApiPeer


def test_command_ends_with_its_own_code_while_a_thread_is_still_leaving(api: ApiPeer) -> None:
    command = [sys.executable, "-m", "import_project_tests.exit_child", api.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "405\n", "")
