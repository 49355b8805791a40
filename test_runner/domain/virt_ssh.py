"""autopkgtest's own ssh virt server, with a cheaper wrapper around each command on the machine.

`python3 virt_ssh.py ARGUMENTS` takes what `autopkgtest-virt-ssh` takes and is
that program; run alone by the host's Python, it imports nothing of the engine.
Only the script that autopkgtest puts on the machine differs: there it kills
what a command left behind with its output still open. The original looks for
that with ten programs in all processes; this one with the shell alone, in
those that have appeared since. On an emulated machine that is 0.9 of the 1.0
seconds of a command, and each test takes a dozen commands. Should a later
autopkgtest have another wrapper, that is used as it is.
"""

import re
from pathlib import Path

SERVER = Path("/usr/bin/autopkgtest-virt-ssh")
ORIGINAL = re.compile(r"^terminal_kill_wrapper = '''.*?^'''$", re.DOTALL | re.MULTILINE)

#: `%s` is for the server. 255 means to ssh that the connection failed.
WRAPPER = r"""#!/bin/bash
set -u
%s
before=" "
for process in /proc/[0-9]*; do before+="$process "; done
"$@"; RC=$?
for process in /proc/[0-9]*; do
    [[ $before != *" $process "* ]] || continue
    for fd in $process/fd/*; do
        if [[ $fd -ef /proc/$$/fd/1 || $fd -ef /proc/$$/fd/2 ]]; then
            read -r name 2>/dev/null < $process/comm || break
            [[ $name = sshd* ]] || kill -9 ${process#/proc/}
            break
        fi
    done
done
[ $RC != 255 ] || RC=253
exit $RC
"""


def server_with(wrapper: str) -> str:
    """The server's program text with another wrapper."""
    return ORIGINAL.sub(lambda _: f"terminal_kill_wrapper = {wrapper!r}", SERVER.read_text(), count=1)


if __name__ == "__main__":
    exec(compile(server_with(WRAPPER), SERVER, "exec"))  # noqa: S102 -- Debian's program, not input
