"""What ssh runs in the workshop to get its connection (ProxyUseFdpass): asks the door, hands it on.

`python3 connect.py SOCKET`: run alone by the host's Python, it imports nothing of the engine.
"""

import socket
import sys


def main() -> None:
    """Receive a connected socket from the door and pass it to ssh on standard output."""
    with socket.socket(socket.AF_UNIX) as door, socket.socket(fileno=1) as ssh:
        door.connect(sys.argv[1])
        _, descriptors, _, _ = socket.recv_fds(door, 1, 1)
        socket.send_fds(ssh, [b"\0"], descriptors)


if __name__ == "__main__":
    main()
