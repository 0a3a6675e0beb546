"""What to do about a certificate that is not trusted, in few words for whoever is paged.

The codes are those of OpenSSL (openssl/x509_vfy.h); its own words stand before these, because people search for them.
What is to be done comes first: a summary is cut at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from watchfloor.domain.words import named

_FORGED, _NOT_YET, _EXPIRED = 7, 9, 10
_SELF_SIGNED, _UNKNOWN_ROOT, _NO_ISSUER, _NO_LEAF = 18, 19, 20, 21
_OTHER_HOST, _OTHER_ADDRESS = 62, 64
_REMEDIES = {
    _SELF_SIGNED: "set ca_file to its PEM file, or have an authority sign it",
    22: "have the server send only what leads to an authority: its chain is too long",
    26: "issue it anew for servers (extended key usage serverAuth)",
    66: "issue it anew with RSA of 2048 bits or EC of 256: its key is too weak",
    67: "issue it anew by another authority: the key of this one is too weak",
    68: "issue it anew with a signature of SHA-256 or better",
}


def remedy(code: int, seen: Mapping[str, object]) -> str:
    """What to do about a certificate that is refused for ``code``; empty where that is not known.

    ``seen`` are its facts as far as they could be had.
    """
    if code == _FORGED:
        return f"set ca_file to the PEM file of its {_last_issuer(seen)}: the one known here has another key"
    if code == _EXPIRED:
        return _of_expiry(seen)
    if code == _NOT_YET:
        begins = f": it holds from {day(seen['not_before'])}" if "not_before" in seen else ""
        return f"check the clocks of the server and of this node{begins}"
    if code == _UNKNOWN_ROOT:
        return f"set ca_file to the PEM file of {_last_issuer(seen)}, which is not known here"
    if code in (_NO_ISSUER, _NO_LEAF):
        return f"have the server send its whole chain, or set ca_file: {_last_issuer(seen)} is not known here"
    if code in (_OTHER_HOST, _OTHER_ADDRESS):
        names = [str(each) for each in cast("Sequence[object]", seen.get("names", ()))]
        return f"correct the address, or set server_name: it is for {', '.join(named(names)) or 'no name at all'}"
    return _REMEDIES.get(code, "")


def day(moment: object) -> str:
    """The day of a moment as facts hold it."""
    return str(moment)[:10]


def _of_expiry(seen: Mapping[str, object]) -> str:
    """The certificate itself may be good, and one that vouches for it may not."""
    now = datetime.now(UTC).isoformat()
    links = cast("Sequence[Mapping[str, object]]", seen.get("chain", ()))
    over = [link for link in links if str(link.get("not_after", now)) < now]
    if over and over[0] is not links[0]:
        return (
            f"have the server send another chain: {over[0].get('subject')} ended {day(over[0]['not_after'])}"
        )
    return "renew it, and have the server load the new one"


def _last_issuer(seen: Mapping[str, object]) -> str:
    """Who vouches for the last certificate that the server sends."""
    links = cast("Sequence[Mapping[str, object]]", seen.get("chain", ()))
    issuer = links[-1].get("issuer") if links else seen.get("issuer")
    return str(issuer or "its issuer")
