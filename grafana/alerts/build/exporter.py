"""Alerts about the exporter and what it can read: is it there, can it query Flatfile, is the answer complete and fresh."""

from textwrap import indent

from .parts import NOT_KNOWN, REFUSED, Rule, alert, last_known, query, remembered

BOARD = "flatfile-exporter"
_TARGETS = "up{<<exporter_selector>>}"
_DOWN = f"""\
max by (job, instance) (avg_over_time({_TARGETS}[<<exporter_down_window>>])) < <<exporter_down_share>>
and on (job, instance) last_over_time({_TARGETS}[<<restart>>])"""
_SERVED = "last_over_time(flatfile_up[<<memory>>])"
_ANSWERING = "last_over_time(flatfile_up[<<restart>>])"
_HEALTHY = f"(avg_over_time({_TARGETS}[<<exporter_down_window>>]) >= <<exporter_down_share>>)"
# Targets with an account that no other one serves.
_ALONE = f"""\
(
  {_SERVED}
  unless on (account) ({_ANSWERING} and on (job, instance) {_HEALTHY})
)"""
_SEEN = query(
    "group by (account) (last_over_time(flatfile_up{job=%q,instance=%q}[<<memory>>]))",
    "job",
    "instance",
)
_ACCOUNTS = (
    f"Accounts that it served: {{{{ range {_SEEN} }}}}{{{{ .Labels.account }}}} {{{{ else }}}}not known {{{{ end }}}}"
)

# Accounts that are unreachable, or were when that was last known.
_UNREACHABLE = "(last_over_time(account:flatfile_up:avg[<<memory>>]) < <<unreachable_share>>)"

_REASONS = query(
    "sum by (reason) (increase(flatfile_exporter_collector_errors_total{account=%q,collector=%q}[30m])) > 0",
    "account",
    "collector",
)


def rules() -> list[Rule]:
    return [
        alert(
            "FlatfileExporterDown",
            f"(\n{indent(_DOWN, '  ')}\n)\nand on (job, instance) {_ALONE}\n"
            "or\n"
            f"(\n{indent(_DOWN, '  ')}\n)\nunless on (job, instance) {_SERVED}\nunless on () {_ANSWERING}\n"
            "or\n"
            f"absent(last_over_time({_TARGETS}[<<restart>>]))",
            wait="exporter_down_for",
            severity="severity_exporter_down",
            critical=True,
            summary="{{ if $labels.instance }}Prometheus cannot scrape the Flatfile exporter {{ $labels.instance }}{{ else }}"
            "Prometheus has no target for the Flatfile exporter{{ end }}",
            description="{{ if $labels.instance }}Target {{ $labels.instance }} of job {{ $labels.job }} does not answer, and no "
            f"other exporter serves its accounts. {_ACCOUNTS}{{{{ else }}}}No scrape target is a Flatfile exporter: it is not "
            "running, service discovery does not find it, or its job has another name than the rules expect.{{ end }}",
            board=BOARD,
            shows="up",
            variables=("job", "instance"),
        ),
        alert(
            "FlatfileExporterDown",
            f"(\n{indent(_DOWN, '  ')}\n)\nunless on (job, instance) {_ALONE}\nand on () {_ANSWERING}",
            wait="exporter_down_for",
            severity="severity_exporter_redundant",
            summary="Prometheus cannot scrape the Flatfile exporter {{ $labels.instance }}; another one serves its accounts",
            description="Target {{ $labels.instance }} of job {{ $labels.job }} does not answer. Other exporters serve the same "
            f"accounts. {_ACCOUNTS}",
            board=BOARD,
            shows="up",
            variables=("job", "instance"),
        ),
        alert(
            "FlatfileAccountGone",
            f"""\
group by (account) ({_SERVED})
unless on (account) {_ANSWERING}
unless on (account) ({_SERVED} and on (job, instance) (last_over_time(up[<<restart>>]) == 0))
and on () {_ANSWERING}""",
            wait="account_gone_for",
            severity="severity_warning",
            summary="No exporter serves Flatfile account {{ $labels.account }} any more",
            description="Account {{ $labels.account }} was served within the last day, and others still are. Its target or its "
            "entry in the exporter's configuration is gone, and nothing is known of it.",
            board=BOARD,
            shows="flatfile_up",
        ),
        alert(
            "FlatfileNoEnvironments",
            remembered(
                "account:flatfile_environments:sum",
                "== 0",
                known="account:flatfile_environments:sum",
                on="account",
            ),
            wait="no_environments_for",
            severity="severity_warning",
            summary="The configured environments of Flatfile account {{ $labels.account }} match nothing",
            description="Account {{ $labels.account }} has no environment that environments.include and environments.exclude "
            f"select, so nothing of it is watched.{NOT_KNOWN}",
            board="flatfile-environments",
            shows="flatfile_environments",
        ),
        alert(
            "FlatfileAccountUnreachable",
            last_known("account:flatfile_up:avg", "< <<unreachable_share>>", on="account")
            + f"\nunless on (account) {REFUSED}",
            wait="unreachable_for",
            severity="severity_warning",
            summary="Flatfile account {{ $labels.account }} is unreachable",
            description="The exporter could not authenticate to account {{ $labels.account }}, or not list its environments, in "
            "more than half of the last minutes. What it last knew stays until max_age and is then withheld.",
            board=BOARD,
            shows="flatfile_up",
        ),
        alert(
            "FlatfileCredentialsRefused",
            last_known("account:flatfile_credentials_refused:increase", "> 0", on="account"),
            wait="credentials_for",
            severity="severity_credentials",
            critical=True,
            summary="Flatfile refuses the credentials of account {{ $labels.account }}",
            description="Flatfile refuses the credentials of account {{ $labels.account }}. They must be replaced: until then "
            "nothing is known of the account.",
            board=BOARD,
            shows="flatfile_exporter_collector_errors_total",
        ),
        alert(
            "FlatfileCollectorFailing",
            "(\n"
            + remembered(
                "collector:flatfile_overdue:seconds",
                "> <<collector_grace>>",
                known="collector:flatfile_overdue:seconds",
                on="account",
            )
            + f"\n)\nunless on (account) {_UNREACHABLE}",
            wait="collector_for",
            severity="severity_warning",
            summary="Collector {{ $labels.collector }} of Flatfile account {{ $labels.account }} has not succeeded for long",
            description="Collector {{ $labels.collector }} of account {{ $labels.account }} has not got all that it asked for "
            f"within its interval and the time allowed beyond it. Reasons in the last 30 minutes: {{{{ range {_REASONS} }}}}"
            f"{{{{ .Labels.reason }}}} {{{{ else }}}}none seen {{{{ end }}}}{NOT_KNOWN}",
            board=BOARD,
            shows="flatfile_exporter_collector_last_success_timestamp_seconds",
        ),
        alert(
            "FlatfileStorageFailing",
            remembered("account:flatfile_storage_success:min", "== 0", known="account:flatfile_up:avg", on="account"),
            wait="storage_for",
            severity="severity_warning",
            summary="The state of Flatfile account {{ $labels.account }} is not written to disk",
            description="The exporter cannot use the file of account {{ $labels.account }} in --storage.path and keeps its state "
            f"in memory: a restart would lose it.{NOT_KNOWN}",
            board=BOARD,
            shows="flatfile_up",
        ),
        alert(
            "FlatfileReloadFailed",
            """\
max by (job, instance) (flatfile_exporter_config_last_reload_successful) == 0
or
-(
  max by (job, instance) (last_over_time(flatfile_exporter_config_last_reload_successful[<<memory>>])) == 0
  unless on (job, instance) flatfile_exporter_config_last_reload_successful
  and on (job, instance) (last_over_time(up[<<memory_removed>>]) == 0)
)""",
            wait="reload_for",
            severity="severity_warning",
            summary="The Flatfile exporter {{ $labels.instance }} did not load its new configuration",
            description="The latest configuration of {{ $labels.instance }} (job {{ $labels.job }}) has errors. It goes on with "
            f"the one before and would not start with the new one.{NOT_KNOWN}",
            board=BOARD,
            shows="flatfile_exporter_config_last_reload_successful",
            variables=("job", "instance"),
        ),
    ]
