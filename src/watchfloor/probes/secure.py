"""TLS connections of checks: verified for real, and described even when they are refused.

When a certificate is not trusted, people need to see which one it was. A second connection, which sends
nothing but a handshake, looks at it without trusting it. This module must never let data of a check travel
over a connection that was not verified when it should have been.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from time import perf_counter

from watchfloor.probes import certificate
from watchfloor.probes.checking import Check, Fault, reason
from watchfloor.probes.distrust import day, remedy
from watchfloor.probes.net import connect, place
from watchfloor.probes.tls_layer import TlsLayer, client_context


async def connect_tls(
    check: Check,
    host: str,
    port: int,
    timeout: float,
    *,
    server_name: str | None = None,
    verify: bool = True,
    ca_file: str | None = None,
    protocols: tuple[str, ...] = (),
) -> TlsLayer:
    """Connect and complete a TLS handshake; records the phase tls besides those of `connect`.

    ``timeout`` is the whole check's. ``server_name`` is expected and asked for instead of ``host``. The
    other arguments are those of `client_context`. Raises `Fault` with the reason, and the facts of the
    certificate where it could be seen.
    """
    context = client_context(verify, ca_file, protocols)
    name = server_name or host
    layer = await connect(check, host, port, timeout, lambda: TlsLayer(context, name))
    check.doing = f"negotiating TLS with {place(host, port)}"
    began = perf_counter()
    try:
        await layer.handshake()
        check.spent("tls", began)
        return layer
    except ssl.SSLCertVerificationError as error:
        layer.abort()
        check.spent("tls", began)
        left = timeout - (perf_counter() - check.started)
        seen = await _look(layer.peer, name, left * 0.5) if layer.peer else None
        raise _untrusted(error, seen) from None
    except BaseException:
        layer.abort()
        raise


async def shake_hands(layer: TlsLayer) -> None:
    """Complete the handshake of a connection that was already in use. Raises `Fault` and `OSError`."""
    try:
        await layer.handshake()
    except ssl.SSLCertVerificationError as error:
        layer.abort()
        raise _untrusted(error, None) from None
    except BaseException:
        layer.abort()
        raise


async def _look(peer: tuple[str, int], name: str, timeout: float) -> dict[str, object]:
    """Shake hands once more without verifying, only to describe the certificate; nothing if that fails."""
    context = client_context(verify=False)
    layer = TlsLayer(context, name)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().create_connection(lambda: layer, *peer)
            await layer.handshake()
            return certificate.session_facts(layer.tls, with_chain=True)
    except OSError as error:
        return {"unseen": reason(error)}
    finally:
        layer.abort()


def _untrusted(error: ssl.SSLCertVerificationError, seen: Mapping[str, object] | None) -> Fault:
    words = f"certificate not trusted: {error.verify_message.rstrip('.')}"
    if seen and "not_after" in seen:
        words += f" ({seen['subject']}, valid until {day(seen['not_after'])})"
    if advice := remedy(error.verify_code, seen or {}):
        words += f"; {advice}"
    return Fault(words, facts={"certificate": seen} if seen else {})
