"""The last row of the exporter's dashboard: its scrapes, and its process."""

from .expressions import of_this_exporter, rate, selector
from .frame import Row
from .panels import COUNT, About, Query, graph
from .tables import Column, rows
from .wording import GONE, NONE_YET, STARTED

PROCESS = Row(
    "Scrapes and the process",
    [
        graph(
            About(
                "Scrapes by outcome",
                "Complete: every refresh that was due ended in time. Partial: the time limit came first, and the rest "
                "follows with the next scrape. Many partial ones: raise `scrape_timeout`.",
                STARTED,
                NONE_YET,
            ),
            [
                Query(
                    f"sum by (path, outcome) ({rate(selector('flatfile_exporter_scrapes_total'))})",
                    "{{path}}: {{outcome}}",
                )
            ],
            "reqps",
        ),
        graph(
            About(
                "Memory",
                "Memory that the process holds (resident). It should rise to a level and stay there.",
                GONE,
            ),
            [Query(of_this_exporter(selector("process_resident_memory_bytes")), "{{instance}}")],
            "bytes",
        ),
        graph(
            About(
                "Processor time", "How much of one core the process keeps busy; 100 % is one core in full use.", GONE
            ),
            [Query(of_this_exporter(rate(selector("process_cpu_seconds_total"))), "{{instance}}")],
            "percentunit",
        ),
        graph(
            About(
                "Open files and connections",
                "How many file descriptors the process holds, and as a broken line how many it may hold.",
                GONE,
            ),
            [
                Query(of_this_exporter(selector("process_open_fds")), "{{instance}}"),
                Query(of_this_exporter(selector("process_max_fds")), "limit: {{instance}}"),
            ],
            COUNT,
            dashed=["^limit: "],
        ),
        rows(
            About(
                "Exporters",
                "Each exporter, its version, when it started and when it last read its configuration.",
                GONE,
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
                Column(
                    "Started",
                    "max by (job, instance) (" + of_this_exporter(selector("process_start_time_seconds")) + ") * 1000",
                    unit="dateTimeFromNow",
                ),
                Column(
                    "Configuration read",
                    "max by (job, instance) "
                    f"({selector('flatfile_exporter_config_last_reload_success_timestamp_seconds')}) * 1000",
                    unit="dateTimeFromNow",
                ),
            ],
            {"job": "Job"},
            sort="Instance",
            width=24,
            height=6,
        ),
    ],
    collapsed=True,
)
