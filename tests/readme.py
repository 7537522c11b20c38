#!/usr/bin/env python3
"""Runs every command of README.md, in order, as a reader would: one shell, from the repository's root.

Each ```sh fence is one step. A step that starts something in the background with `&` is followed by a wait until the
gRPC port answers. The test command itself is left to `just test`, after a look that it is the same. The ```text fence
after a step is what the reader is shown: its keys and words must be in the real output (numbers may differ).
"""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEST_COMMAND = "cargo test --workspace"
PORT = 50051


def wait_for_port():
    """Until the server of the step before answers; it may have to be compiled first."""
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", PORT)) == 0:
                return
        time.sleep(0.5)
    sys.exit(f"nothing listens on port {PORT}")


def words(text):
    """The names in a text: numbers, times and frames of tables may differ from run to run."""
    return set(re.findall(r"[A-Za-z_][A-Za-z_.]{2,}", text))


def main():
    readme = (ROOT / "README.md").read_text()
    assert TEST_COMMAND in (ROOT / "justfile").read_text(), "the justfile runs another test command than the README"
    fences = re.findall(r"^```(sh|text|json)\n(.*?)^```$", readme, re.M | re.S)
    steps = [(body, fences[i + 1] if i + 1 < len(fences) else None) for i, (kind, body) in enumerate(fences) if kind == "sh"]
    assert any(TEST_COMMAND in body for body, _ in steps), "the README does not say how to run the tests"
    home = tempfile.TemporaryDirectory()
    environment = {**os.environ, "LIFESIGN_HOME": home.name}
    shell = subprocess.Popen(["bash"], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    passed = 0
    try:
        for body, shown in steps:
            if body.strip() == TEST_COMMAND:
                continue
            print(f"$ {body}", end="", flush=True)
            # A verdict other than ACCEPT ends `lifesign check` with 1: that is its answer, not a fault.
            shell.stdin.write(f"{body}\necho \"__STATUS $?\"\n")
            shell.stdin.flush()
            output = ""
            while not (line := shell.stdout.readline()).startswith("__STATUS"):
                assert line, "the shell ended"
                output += line
            print(output, end="", flush=True)
            status = int(line.split()[1])
            allowed = {0, 1} if " check " in body else {0}
            assert status in allowed, f"exit status {status} of\n{body}"
            if shown and shown[0] != "sh":
                missing = words(shown[1]) - words(output)
                assert not missing, f"the README shows {sorted(missing)}, which the real output lacks"
            if body.rstrip().endswith("&"):
                wait_for_port()
            passed += 1
    finally:
        shell.stdin.write("kill $(jobs -p) 2>/dev/null; exit\n")
        shell.stdin.close()
        shell.wait(30)
    assert passed, "no command of the README was run"
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
