"""The last row of the exporter's dashboard: its scrapes, and its process."""

from .expressions import added, of_this_exporter, rate, selector
from .frame import Row
from .panels import About, Query, graph
from .tables import Column, ago, rows
from .wording import DOWN, NONE_YET, NOTHING_YET

_started = of_this_exporter(selector("process_start_time_seconds"))
_configured = selector("flatfile_exporter_config_last_reload_success_timestamp_seconds")

PROCESS = Row(
    "Scrapes and process",
    [
        graph(
            About(
                "Scrapes by outcome",
                "Complete: every refresh that was due ended in time. Partial: the timeout came first, and the rest follows with "
                "the next scrape. If there are many partial ones, raise `scrape_timeout`.",
                NOTHING_YET,
                NONE_YET,
            ),
            [
                Query(
                    added(rate(selector("flatfile_exporter_scrapes_total")), ("path", "outcome")),
                    "{{path}}: {{outcome}}",
                )
            ],
            "reqps",
        ),
        graph(
            About("Resident memory", "Memory of the process. It should rise to a level and stay there.", DOWN),
            [Query(of_this_exporter(selector("process_resident_memory_bytes")), "{{instance}}")],
            "bytes",
        ),
        graph(
            About("CPU", "How much of one core the process uses; 100 % is one core in full use.", DOWN),
            [Query(of_this_exporter(rate(selector("process_cpu_seconds_total"))), "{{instance}}")],
            "percentunit",
        ),
        graph(
            About("Open file descriptors", "How many the process has open, and (dashed) how many it may open.", DOWN),
            [
                Query(of_this_exporter(selector("process_open_fds")), "{{instance}}"),
                Query(of_this_exporter(selector("process_max_fds")), "limit: {{instance}}"),
            ],
            dashed=["^limit: "],
        ),
        rows(
            About(
                "Exporters",
                "Each exporter, its version, when it started and when it last read its configuration.",
                DOWN,
                "none seen",
            ),
            {"instance": "Instance", "version": "Version", "revision": "Revision", "pythonversion": "Python"},
            [
                Column(
                    "Present",
                    "max by (job, instance, version, revision, pythonversion) "
                    f"({selector('flatfile_exporter_build_info')})",
                    shown=False,
                ),
                ago("Started", f"max by (job, instance) ({_started})"),
                ago("Configuration read", f"max by (job, instance) ({_configured})"),
            ],
            {"job": "Job"},
            sort="Instance",
            width=24,
            height=6,
        ),
    ],
    collapsed=True,
)
