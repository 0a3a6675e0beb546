"""A network of its own on this machine, whose link can be made to swallow packets: nothing is refused, all is silence.

Another network namespace is joined by a pair of virtual wires, and holds a server with several addresses. An address
that is taken away answers nothing any more, neither a new connection nor one that stands; our side, which knows the
hardware address for good, goes on sending. Needs root.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.08)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("0.0.0.0", 8080), Answers)
print("ready", flush=True)
server.serve_forever()
"""

PORT = 8080
PREFIX = "10.231.77"
HARDWARE = "02:00:00:00:77:02"


class Wires:
    """Addresses beyond a link, all of one server at `PORT`."""

    def __init__(self, name: str, addresses: Sequence[str]) -> None:
        self._name, self.addresses = name, addresses

    def swallow(self, *addresses: str) -> None:
        """Let everything that is sent to these be lost."""
        for address in addresses:
            _ip("-n", self._name, "address", "del", f"{address}/24", "dev", "far")

    def restore(self, *addresses: str) -> None:
        for address in addresses:
            _ip("-n", self._name, "address", "add", f"{address}/24", "dev", "far")


def missing() -> str:
    """Why there can be no such network here; empty where there can."""
    if os.geteuid() != 0:
        return "needs root for a network of its own"
    made = subprocess.run(["ip", "netns", "add", f"wf-probe-{os.getpid()}"], check=False, capture_output=True)
    if made.returncode:
        return f"cannot make a network of its own: {made.stderr.decode().strip()}"
    _ip("netns", "del", f"wf-probe-{os.getpid()}")
    return ""


@contextmanager
def wires() -> Iterator[Wires]:
    """A link to four addresses."""
    name, near = f"wf-{os.getpid()}", f"wf{os.getpid() % 10**8}"
    addresses = [f"{PREFIX}.{number}" for number in range(2, 6)]
    server = None
    _ip("netns", "add", name)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", "far", "address", HARDWARE, "netns", name)
        _ip("address", "add", f"{PREFIX}.1/24", "dev", near)
        _ip("link", "set", near, "up")
        for words in (["link", "set", "lo", "up"], ["link", "set", "far", "up"]):
            _ip("-n", name, *words)
        # The last address stays for good, so that the way back does.
        _ip("-n", name, "address", "add", f"{PREFIX}.250/24", "dev", "far")
        made = Wires(name, addresses)
        made.restore(*addresses)
        for address in addresses:
            _ip("neighbour", "replace", address, "lladdr", HARDWARE, "dev", near, "nud", "permanent")
        server = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-c", SERVER], stdout=subprocess.PIPE
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        yield made
    finally:
        if server is not None:
            server.kill()
            server.wait()
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", near)
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
