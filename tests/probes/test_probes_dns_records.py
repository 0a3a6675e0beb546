"""Records of the domain name system: each type is compared by what it means, and never by what is shown."""

from __future__ import annotations

from typing import Any

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_servers import Run, Servers
from pydantic import ValidationError
from test_probes_dns import answer, name_server

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.dns import Settings, probe
from watchfloor.probes.dns_records import expected, meaning, objections

KEY = "v=DKIM1; k=rsa; p=" + "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8A" * 22


def matches(kind: str, wanted: str, record: str) -> bool:
    read = dns.rdata.from_text("IN", kind, record)
    over_the_wire = dns.rdata.from_wire("IN", kind, wire := read.to_wire() or b"", 0, len(wire))
    return expected(kind, wanted).is_met_by(meaning(over_the_wire))


@pytest.mark.parametrize(
    ("kind", "wanted", "record"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("AAAA", "::ffff:192.0.2.1", "::ffff:c000:201"),
        ("NS", "NS1.example.com", "ns1.Example.COM."),
        ("CNAME", "www.example.com.", "WWW.example.com."),
        ("NS", "münchen.example", "xn--mnchen-3ya.example."),
        ("MX", "10 mail.example.com", "10 Mail.example.com."),
        ("MX", "0 .", "0 ."),
        ("SRV", "10 60 5060 sip.example.com", "10 60 5060 SIP.example.com."),
        ("SOA", "ns1.example.com h.example.com", "ns1.example.com. H.example.com. 7 1 2 3 4"),
        ("SOA", "ns1.example.com h.example.com * 1", "ns1.example.com. h.example.com. 7 1 2 3 4"),
        ("SOA", "ns1.example.com h.example.com 7 1 2 3 4", "ns1.example.com. h.example.com. 7 1 2 3 4"),
        ("CAA", '0 Issue "ca.example; a=B"', '0 issue "ca.example; a=B"'),
        ("CAA", "0 issue ca.example", '0 issue "ca.example"'),
        ("HTTPS", "1 Svc.example. alpn=h2,h3", '1 svc.example. alpn="h2,h3"'),
        ("DS", "12345 13 2 " + "ab" * 32, "12345 13 2 " + "AB" * 32),
        ("NAPTR", '1 1 "s" "sip+d2u" "" _sip.example', '1 1 "S" "SIP+D2U" "" _SIP.example.'),
        ("TXT", "v=spf1 -all", '"v=spf1 -all"'),
        ("TXT", '"v=spf1 -all"', '"v=spf1 " "-all"'),
        ("TXT", KEY, " ".join(f'"{KEY[at : at + 255]}"' for at in range(0, len(KEY), 255))),
        ("TXT", r'"say \"a\\b\" \195\188"', r'"say \"a\\b\" \195\188"'),
        ("TXT", 'say "ü"', r'"say \"\195\188\""'),
    ],
)
def test_records_that_mean_the_same_are_the_same(kind: str, wanted: str, record: str) -> None:
    assert matches(kind, wanted, record)


@pytest.mark.parametrize(
    ("kind", "wanted", "record"),
    [
        ("A", "192.0.2.1", "192.0.2.11"),
        ("AAAA", "2001:db8::1", "2001:db8::10"),
        ("MX", "10 mail.example.com", "20 mail.example.com."),
        ("SOA", "ns1.example.com h.example.com * 1", "ns1.example.com. h.example.com. 7 2 2 3 4"),
        ("CAA", '0 issue "ca.example"', '0 issue "CA.example"'),
        ("TXT", "v=Spf1 -all", '"v=spf1 -all"'),
        ("TXT", "v=spf1  -all", '"v=spf1 -all"'),
        ("TXT", "v=spf1 -all", '"v=spf1" "-all"'),
        ("TXT", "v=spf1 -all", '"v=spf1 -all."'),
        ("TXT", "a" * 600, " ".join(f'"{text}"' for text in ("a" * 255, "a" * 255, "a" * 89 + "b"))),
    ],
)
def test_records_that_mean_something_else_are_not(kind: str, wanted: str, record: str) -> None:
    assert not matches(kind, wanted, record)


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=8))
def test_every_text_is_found_as_the_zone_file_writes_it(strings: list[bytes]) -> None:
    wire = b"".join(bytes((len(each),)) + each for each in strings)
    record = dns.rdata.from_wire("IN", "TXT", wire, 0, len(wire))
    assert expected("TXT", record.to_text()).is_met_by(meaning(record))


def test_where_a_long_text_differs_is_told() -> None:
    def said(text: str) -> list[str]:
        quoted = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
        has = [meaning(dns.rdata.from_text("IN", "TXT", each)) for each in ('"other"', quoted)]
        return objections("TXT", [expected("TXT", KEY)], has)

    assert said(KEY) == []
    assert said(KEY[:-1] + "!")[0].endswith(f"… (the closest differs from character {len(KEY)} on)")
    assert said(KEY.lower())[0].endswith("… (it is there in other capitals)")
    assert said("nothing alike")[0].endswith("…")


def ask(servers: Servers, run: Run, records: list[str], **settings: Any) -> Outcome:
    port = name_server(servers, answer(*records, type="TXT"))
    given = {"domain": "key.example.com", "type": "TXT", "resolver": "127.0.0.1", "port": port}
    outcome = run(probe(Settings(**given | settings), 5))
    assert isinstance(outcome, Outcome)
    return outcome


def test_a_text_longer_than_what_is_shown_is_found_and_shown_shortened(servers: Servers, run: Run) -> None:
    quoted = " ".join(f'"{KEY[at : at + 255]}"' for at in range(0, len(KEY), 255))
    outcome = ask(servers, run, [quoted], expect=[KEY], exact=True)
    assert outcome.status is Status.OK, outcome.summary
    answers = outcome.facts["answers"]
    assert isinstance(answers, list)
    assert len(answers[0]) == 300
    outcome = ask(servers, run, [quoted, r'"\027[31mred"'], expect=[KEY], exact=True)
    assert outcome.status is Status.FAILING
    assert r'the answer also holds "\027[31mred"' in outcome.summary
    assert len(outcome.summary) <= 200


@pytest.mark.parametrize(
    ("settings", "place", "words"),
    [
        ({"type": "MX", "expect": ["10 a.example", "b.example"]}, ("expect", 1), "like 10 mail.example.com"),
        ({"type": "A", "expect": ["2001:db8::1"]}, ("expect", 0), "not a record of type A"),
        ({"type": "TXT", "expect": ['"a']}, ("expect", 0), "each of its strings is in quotes"),
        ({"type": "TXT", "expect": [r'"\999"']}, ("expect", 0), "up to 255"),
        ({"type": "CAA", "expect": ["0 issue ca.example; a=b"]}, ("expect", 0), "put the value in quotes"),
        ({"type": "SOA", "expect": ["ns1.example.com"]}, ("expect", 0), "2 to 7 parts"),
        ({"exact": True}, (), "give expect"),
        ({"code": "NXDOMAIN", "expect": ["192.0.2.1"]}, (), "leave expect out"),
    ],
)
def test_what_cannot_be_an_answer_is_refused(
    settings: dict[str, Any], place: tuple[str | int, ...], words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(domain="www.example.com", **settings)
    (error,) = refused.value.errors()
    assert error["loc"] == place
    assert words in error["msg"]
