"""Choosing TCP ports on the loopback address."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the ranges that Linux (32768–60999) and macOS (49152–65535) take the ports of outgoing connections from: until a
# server listens on the port chosen for it, any connection opened meanwhile could take it.
FREE_PORTS = range(10_000, 32_000)


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now.

    The probe sets SO_REUSEADDR as servers do: without it a port whose last connections are still in TIME_WAIT would
    look taken for a minute after its server stopped.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            # Beside a socket that is bound but does not listen yet, binding alone may succeed.
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a random port that is free now.

    Raises:
        OSError: there is none.
    """
    for port in random.sample(FREE_PORTS, k=len(FREE_PORTS)):
        if port_is_free(port):
            return port
    raise OSError(f"no TCP port from {FREE_PORTS.start} to {FREE_PORTS.stop - 1} is free on {LOOPBACK}")


def default_or_free_port(default: int) -> int:
    """Return the default port if nothing listens there, else another free one."""
    return default if port_is_free(default) else free_port()
