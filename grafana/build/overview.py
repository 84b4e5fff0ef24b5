"""The first look: is all well, how much is there, what changed, which alerts are firing."""

from . import colours, links
from .expressions import (
    ENVIRONMENT,
    ENVIRONMENT_KEY,
    age,
    increase,
    of_account,
    of_environment,
    once,
    total,
)
from .frame import FIRING, Board, Row
from .links import with_all_variables
from .overview_rows import CHANGES, NOW, PEOPLE, WORDS, WORK
from .panels import COUNT, About, figure
from .wording import WITHHELD

_listed = once(of_environment("flatfile_environment_info"), ENVIRONMENT_KEY)
_with_data = " and ".join(once(of_environment(m), ENVIRONMENT_KEY) for m in ("flatfile_spaces", "flatfile_agents"))
_gaps = f"count({_listed}) - (count({_listed} and {_with_data}) or count({_listed}) * 0)"

WELL = Row(
    "Is all well?",
    [
        figure(
            About(
                "Flatfile reachable",
                "Whether the exporter could log in to Flatfile and list the environments at its last refresh, one tile "
                "for each account. With several exporters, the worst answer counts. (`flatfile_up`)",
                "no exporter has been scraped in the last minutes: see the Exporter dashboard.",
            ),
            f"min by (account) ({of_account('flatfile_up')})",
            "short",
            legend="{{account}}",
            words={"1": ("Reachable", colours.GOOD), "0": ("Not reachable", colours.BAD)},
            link=with_all_variables("Why: the exporter", links.EXPORTER),
        ),
        figure(
            About(
                "Alerts firing",
                "Alerts of this project that are firing now, for any account. The table below names them.",
                "no alert is firing, or the alert rules are not loaded in this Prometheus.",
                "None firing",
            ),
            f"count({FIRING})",
            "short",
            steps=colours.steps((1, colours.BAD)),
        ),
        figure(
            About(
                "Expected agents missing",
                "Agents are programs that customers deploy to an environment; they do the work on imported data. This "
                "counts those that the exporter's configuration expects (`expected_agents`) and that are known not to "
                "be deployed. Anything but none needs attention.",
                "the configuration expects no agents, or no answer is known.",
                "None expected, or not known",
            ),
            total(of_environment("flatfile_agent_missing"), over=(*ENVIRONMENT, "agent")),
            "short",
            words={"0": ("None missing", colours.GOOD)},
            steps=colours.steps((0, colours.GOOD), (1, colours.BAD)),
            link=with_all_variables("Which: agents", links.AGENTS),
        ),
        figure(
            About(
                "Collectors failing",
                "The exporter reads each kind of thing (spaces, agents, events and so on) by a collector of its own. "
                "This counts collectors whose last refresh failed; their last good values are still shown for a while.",
                "no exporter has been scraped in the last minutes.",
            ),
            f"sum(min by (account, collector) ({of_account('flatfile_exporter_collector_success')}) == bool 0)",
            "short",
            words={"0": ("None failing", colours.GOOD)},
            steps=colours.steps((0, colours.GOOD), (1, colours.WARNING)),
            link=with_all_variables("Which: the exporter", links.EXPORTER),
        ),
        figure(
            About(
                "Environments with gaps",
                "Environments of which the spaces or the agents are not known at present. Sums on these dashboards "
                "leave them out, so a total may look smaller than it is while this is not 0. Where one of the two "
                "collectors is switched off, every environment counts.",
                "not even the list of environments is known.",
            ),
            _gaps,
            "short",
            words={"0": ("No gaps", colours.GOOD)},
            steps=colours.steps((0, colours.GOOD), (1, colours.WARNING)),
        ),
        figure(
            About(
                "Oldest data",
                "Time since the last success of the collector that is furthest behind. A few minutes are usual: guests "
                "and users are read every 5 minutes by default.",
                "no collector has succeeded since the exporter started.",
            ),
            "max("
            + age(
                once(of_account("flatfile_exporter_collector_last_success_timestamp_seconds"), ("account", "collector"))
            )
            + ")",
            "s",
            steps=colours.steps((0, colours.GOOD), (900, colours.WARNING), (3600, colours.BAD)),
            decimals=0,
            link=with_all_variables("Which: the exporter", links.EXPORTER),
        ),
    ],
)

TOTALS = Row(
    "How much is there?",
    [
        figure(
            About(
                "Environments",
                "An environment is a closed-off part of an account, such as `development` and `production`, with its "
                "own spaces, agents and guests. Counts the environments of the chosen accounts.",
                WITHHELD,
            ),
            total(of_account("flatfile_environments"), over=("account", "production")),
            COUNT,
            trend=True,
            width=4,
            link=with_all_variables("Environments", links.ENVIRONMENTS),
        ),
        figure(
            About(
                "Active spaces",
                "A space is one workplace where people upload data and put it right. Counts spaces that are neither "
                "archived nor expired.",
                WITHHELD,
            ),
            total(of_environment("flatfile_spaces", 'state="active"'), over=ENVIRONMENT_KEY),
            COUNT,
            trend=True,
            width=4,
            link=with_all_variables("Environments", links.ENVIRONMENTS),
        ),
        figure(
            About(
                "Guests",
                "Guests are people from outside (usually a customer's own customers) who are invited to spaces. Each "
                "is counted once in an environment, however many spaces it is in.",
                WITHHELD,
            ),
            total(of_environment("flatfile_guests"), over=ENVIRONMENT_KEY),
            COUNT,
            trend=True,
            width=4,
        ),
        figure(
            About(
                "Users",
                "Members of the account's own team, of the whole account (the chosen environments make no difference).",
                WITHHELD,
            ),
            total(of_account("flatfile_users"), over=("account",)),
            COUNT,
            trend=True,
            width=4,
        ),
        figure(
            About("Deployed agents", "Agents in the chosen environments, your own and Flatfile's.", WITHHELD),
            total(of_environment("flatfile_agents"), over=(*ENVIRONMENT_KEY, "system")),
            COUNT,
            trend=True,
            width=4,
            link=with_all_variables("Agents", links.AGENTS),
        ),
        figure(
            About(
                "Events in the time range",
                "An event is a note of Flatfile that something happened, such as `job:completed` or `space:created`. "
                "Estimated from the exporter's counter over the dashboard's time range; what happened before the "
                "exporter started is not in it.",
                WITHHELD,
            ),
            total(increase(of_environment("flatfile_events_total")), over=(*ENVIRONMENT_KEY, "topic")),
            COUNT,
            decimals=0,
            width=4,
            link=with_all_variables("Events", links.EVENTS),
        ),
    ],
)

BOARD = Board(
    links.OVERVIEW,
    "Flatfile / Overview",
    "Is all well with the Flatfile accounts, does the work get done, how much is there, and what changed.",
    [WELL, WORK, NOW, TOTALS, CHANGES, PEOPLE, WORDS],
)
