"""The peer: Prometheus with blackbox_exporter from Debian, watching the same targets at the same rate.

It also evaluates an alerting rule over every target, because Watchfloor judges every result too. Both processes
listen on free loopback ports and keep their data in a directory of ours.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from processes import leave
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
