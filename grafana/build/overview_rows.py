"""The lower rows of the overview: trends, people, and what the words mean."""

from . import colours, jobs, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, counted, of_account, of_environment, once, rate, total
from .frame import Row
from .links import of_row
from .panels import RATE, About, Query, by_environment, graph, prose
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, ago, rows
from .wording import WITHHELD


def _with_change(title: str, change: str, vector: str) -> list[Column]:
    """What there is now, and how much it has changed since the beginning of the time range."""
    now, before = once(vector, ENVIRONMENT), once(f"{vector} offset $__range", ENVIRONMENT_KEY)
    difference = f"{now} - on ({', '.join(ENVIRONMENT_KEY)}) group_left () {before}"
    return [Column(title, now, width=110), Column(change, difference, width=130)]


_active = of_environment("flatfile_spaces", 'state="active"')

TRENDS = Row(
    "Trends",
    [
        by_environment(
            About(
                "Events per second by environment",
                "By the events' own time. If a line falls to 0 and stays there, the environment has gone silent; where a line "
                "ends, its value is not known. Deployments of agents are marked on every graph.",
                WITHHELD,
            ),
            total(of_environment("flatfile_events_per_second"), ENVIRONMENT, over=("topic",)),
            RATE,
            to=links.EVENTS,
            width=24,
        ),
        rows(
            About(
                "Environments and changes",
                "Each environment now, and how much its active spaces and guests have changed since the beginning of the time "
                "range. Failed jobs and their ratio are those of the last 24 hours. Click on a name for more.",
                "nothing is known of the environments. A dash is a value that is not known, then or now.",
            ),
            ENVIRONMENT_COLUMN,
            [
                *_with_change("Active spaces", "Space change", _active),
                *_with_change("Guests", "Guest change", of_environment("flatfile_guests")),
                Column(
                    "Events",
                    counted(total(rate(of_environment("flatfile_events_total")), ENVIRONMENT, over=("topic",))),
                    decimals=0,
                    width=85,
                ),
                Column(
                    "Failed jobs",
                    once(of_environment("flatfile_jobs", 'status="failed"'), ENVIRONMENT),
                    width=95,
                ),
                Column(
                    "Failure ratio",
                    jobs.ratio_of_environments(),
                    unit="percentunit",
                    decimals=1,
                    steps=colours.steps(
                        (jobs.RATIO_STEPS[0], colours.WARNING), (jobs.RATIO_STEPS[1], colours.CRITICAL), base="text"
                    ),
                    width=115,
                ),
                Column("Agents", total(of_environment("flatfile_agents"), ENVIRONMENT, over=("system",)), width=80),
                ago(
                    "Last activity",
                    once(of_environment("flatfile_environment_last_activity_timestamp_seconds"), ENVIRONMENT),
                ),
            ],
            ID_COLUMNS,
            links=[
                of_row("Spaces, guests and jobs", links.ENVIRONMENTS),
                of_row("Agents", links.AGENTS),
                of_row("Events", links.EVENTS),
            ],
            sort="Environment",
            height=7,
        ),
    ],
)

PEOPLE = Row(
    "Users and accounts",
    [
        graph(
            About(
                "Active users",
                "Members of the account's team who were active within the last day, 7 days and 30 days, beside all of them.",
                WITHHELD,
            ),
            [
                Query(
                    total(of_account("flatfile_users_active"), ("window",), over=("account",)),
                    "active within {{window}}",
                ),
                Query(total(of_account("flatfile_users"), over=("account",)), "all users"),
            ],
            lines=colours.WINDOWS | {"all users": colours.GREY},
            dashed=["all users"],
        ),
        rows(
            About(
                "Accounts",
                "The Flatfile accounts that the exporter watches, with their ids and names in Flatfile.",
                "no account has been reached yet.",
                "none reached yet",
            ),
            {"account": "Account", "account_name": "Name in Flatfile"},
            [
                Column(
                    "Known",
                    once(of_account("flatfile_account_info"), ("account", "account_id", "account_name")),
                    shown=False,
                )
            ],
            {"account_id": "Account ID"},
            sort="Account",
            width=12,
            height=9,
        ),
    ],
    collapsed=True,
)

GLOSSARY = Row(
    "Glossary",
    [
        prose(
            "Flatfile in one minute",
            """Flatfile imports other people's data files and helps to correct them.

| word | meaning |
| --- | --- |
| **account** | one customer of Flatfile: usually your company. The name is the one in the exporter's configuration |
| **environment** | a separate part of an account (such as `development`, `production`); everything below belongs to one |
| **space** | a workplace, often for one customer, where files are uploaded and data is checked |
| **guest** | a person from outside who is invited to spaces; a **user** is a member of your own team |
| **agent** | a program, yours or Flatfile's, deployed to an environment: it reacts to events, checks, changes, imports data |
| **event** | a record that something happened. Its **topic** says what: `job:failed` is of the family `job` |
| **job** | a piece of work, such as reading a file; it is open until it is complete, failed or canceled |

A value that is *not known* is never shown as zero: a line has a gap, a number says so.""",
            height=11,
        )
    ],
    collapsed=True,
)
