"""The peers, from Debian, watching targets of ours: Prometheus with blackbox_exporter, Monit, and Icinga 2.

The first watches every target at the same rate as Watchfloor and evaluates an alerting rule over each, because
Watchfloor judges every result too. Monit and Icinga 2 cannot do as many in the same time: they get fewer targets, and
the cost of a check is what is compared. All listen on loopback or nowhere and keep their data in a directory of ours.
"""

from __future__ import annotations

import getpass
import grp
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from processes import leave, tree
from support import free_port, until

PROGRAMS = ("prometheus", "prometheus-blackbox-exporter")
HOW_TO_INSTALL = (
    "the peer is not installed; on Debian: apt-get install prometheus prometheus-blackbox-exporter "
    "(then stop the services it starts, they are not needed)"
)


def installed() -> bool:
    """Whether both programs are there."""
    return all(shutil.which(program) for program in PROGRAMS)


class Prometheus:
    """Both processes, running; a context manager."""

    def __init__(self, ground: Path, urls: Sequence[str], every_s: int) -> None:
        blackbox, self._port = free_port(), free_port()
        self._write(ground, urls, every_s, blackbox)
        data = ground / "prometheus"
        self._processes = [
            self._start(ground, PROGRAMS[1], f"--config.file={ground}/blackbox.yml", blackbox),
            self._start(
                ground,
                PROGRAMS[0],
                f"--config.file={ground}/prometheus.yml",
                self._port,
                f"--storage.tsdb.path={data}",
            ),
        ]
        until(self._ready, 30, "prometheus starts")

    def _start(
        self, ground: Path, program: str, config: str, port: int, *options: str
    ) -> subprocess.Popen[bytes]:
        argv = [program, config, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", *options]
        with open(ground / f"{program}.log", "ab") as log:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ground)

    def _write(self, ground: Path, urls: Sequence[str], every_s: int, blackbox: int) -> None:
        # JSON is YAML.
        documents = {
            "blackbox.yml": {
                "modules": {
                    "http_2xx": {
                        "prober": "http",
                        "timeout": f"{every_s}s",
                        "http": {"preferred_ip_protocol": "ip4"},
                    }
                }
            },
            "prometheus.yml": {
                "global": {"scrape_interval": f"{every_s}s", "evaluation_interval": f"{every_s}s"},
                "rule_files": ["rules.yml"],
                "scrape_configs": [
                    {
                        "job_name": "blackbox",
                        "metrics_path": "/probe",
                        "params": {"module": ["http_2xx"]},
                        "scrape_timeout": f"{every_s}s",
                        "static_configs": [{"targets": list(urls)}],
                        "relabel_configs": [
                            {"source_labels": ["__address__"], "target_label": "__param_target"},
                            {"source_labels": ["__param_target"], "target_label": "instance"},
                            {"target_label": "__address__", "replacement": f"127.0.0.1:{blackbox}"},
                        ],
                    }
                ],
            },
            "rules.yml": {
                "groups": [
                    {"name": "services", "rules": [{"alert": "ServiceIsNotOk", "expr": "probe_success == 0"}]}
                ]
            },
        }
        for name, document in documents.items():
            (ground / name).write_text(json.dumps(document))

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def pids(self) -> set[int]:
        """The two processes; neither has children."""
        return {process.pid for process in self._processes}

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            leave(process)


class _Process:
    """A peer that is one process with its children; a context manager."""

    programs: tuple[str, ...] = ()
    title = ""
    how_to_install = ""

    def __init__(self, argv: Sequence[str], ground: Path) -> None:
        with open(ground / "peer.log", "ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ground
            )

    @classmethod
    def installed(cls) -> bool:
        """Whether every program is there."""
        return all(shutil.which(program) or Path(program).exists() for program in cls.programs)

    @property
    def pids(self) -> set[int]:
        """The process and its children."""
        return tree(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self._process)


class Monit(_Process):
    """One Monit that asks every target in each of its cycles, one after the other."""

    programs = ("monit",)
    title = "Monit"
    how_to_install = "apt-get install monit"

    def __init__(self, ground: Path, port: int, paths: Sequence[str], every_s: int) -> None:
        lines = [
            f"set daemon {every_s}",
            f"set pidfile {ground}/monit.pid",
            f"set idfile {ground}/monit.id",
            f"set statefile {ground}/monit.state",
            f"set log {ground}/monit.log",
        ]
        for number, path in enumerate(paths):
            lines += [
                f"check host s{number} with address 127.0.0.1",
                f'  if failed port {port} protocol http request "{path}" then alert',
            ]
        config = ground / "monitrc"
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o600)
        super().__init__(["monit", "-I", "-c", str(config)], ground)


class Icinga(_Process):
    """One Icinga 2 that starts check_http for every check, as it is set up by its own documentation."""

    programs = ("icinga2", "/usr/lib/nagios/plugins/check_http")
    title = "Icinga 2 with check_http"
    how_to_install = "apt-get install icinga2-bin monitoring-plugins-basic"

    def __init__(self, ground: Path, port: int, paths: Sequence[str], every_s: int) -> None:
        lines = [
            "include <itl>",
            'const NodeName = "bench"',
            "const ZoneName = NodeName",
            'object CheckerComponent "checker" { }',
            'object Host "target" { check_command = "dummy"; enable_active_checks = false }',
            f'object CheckCommand "get" {{ command = [ "{self.programs[1]}", "-I", "127.0.0.1", "-p", "{port}", '
            '"-u", "$path$" ] }',
        ]
        lines += [
            f'object Service "s{number}" {{ host_name = "target"; check_command = "get"; check_interval = {every_s}; '
            f'retry_interval = {every_s}; vars.path = "{path}" }}'
            for number, path in enumerate(paths)
        ]
        (ground / "icinga2.conf").write_text("\n".join(lines) + "\n")
        constants = {
            "RunAsUser": getpass.getuser(),
            "RunAsGroup": grp.getgrgid(os.getgid()).gr_name,
            **dict.fromkeys(
                ("DataDir", "LogDir", "CacheDir", "SpoolDir", "InitRunDir", "ConfigDir"), str(ground)
            ),
        }
        options = [f"-D{name}={value}" for name, value in constants.items()]
        super().__init__(["icinga2", "daemon", "-c", str(ground / "icinga2.conf"), *options], ground)


OTHERS: tuple[type[Monit] | type[Icinga], ...] = (Monit, Icinga)
