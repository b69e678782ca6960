"""Choosing TCP ports on the loopback address."""

import socket

LOOPBACK = "127.0.0.1"


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now.

    The probe sets SO_REUSEADDR as servers do: without it a port whose last connections are still in TIME_WAIT would
    look taken for a minute after its server stopped.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            # Binding alone succeeds beside a listener that set SO_REUSEADDR on some systems; listening never does.
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free now, chosen by the operating system."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def default_or_free_port(default: int) -> int:
    """Return the default port if nothing listens there, else another free one."""
    return default if port_is_free(default) else free_port()
