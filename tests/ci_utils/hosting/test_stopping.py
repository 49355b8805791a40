"""Signals that ask a process to stop are heard, whenever they come."""

from __future__ import annotations

import subprocess
import sys

#: Other threads compete for the interpreter, which is when signals used to get lost.
PROGRAM = """
import os, signal, sys, threading, time
from ci_utils.hosting import stopping

sys.setswitchinterval(0.0005)
heard = threading.Semaphore(0)

def busy():
    while True:
        pass

def ask(number):
    time.sleep(number % 50 * 0.00002)
    os.kill(os.getpid(), signal.SIGTERM)
    if not heard.acquire(timeout=20):
        print(f"signal {number} was lost", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

for _ in range(2):
    threading.Thread(target=busy, daemon=True).start()
for number in range(500):
    asked = stopping.Asked()
    asking = threading.Thread(target=ask, args=[number])
    asking.start()
    asked.wait()
    heard.release()
    asking.join()
stopping.no_more()
print("heard all")
"""


def test_a_signal_is_heard_that_comes_just_when_the_wait_begins():
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False
    )

    assert (run.returncode, run.stdout) == (0, "heard all\n"), run.stderr
