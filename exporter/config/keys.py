"""Every key of the configuration file: the loader, the documentation and the example's test read it here."""

from exporter.config.schema import Entry, Key, Kind, Section, Sections

COLLECTOR_INTERVALS = {
    "environments": "60s",
    "spaces": "60s",
    "agents": "30s",
    "executions": "30s",
    "events": "0s",
    "users": "5m",
    "guests": "5m",
    "jobs": "60s",
}
_COLLECTOR_MEANINGS = {
    "environments": "The list of environments; all the other collectors build on it.",
    "spaces": "Spaces, their files, workbooks and last activity.",
    "agents": "Deployed agents, and whether the expected ones are there.",
    "executions": "How agent runs ended and how long they took.",
    "events": "Events by topic and by who caused them.",
    "users": "Users of the account.",
    "guests": "Guests of each environment.",
    "jobs": "Jobs by status.",
}
DEFAULT_MAX_AGE = "15m"
MAX_AGE_INTERVALS = 3
"""`max_age` is at least this many intervals."""

_TOPIC = "the event's topic, such as job:failed"
_PLACE = "name and id"


def _globs(subject: str, what: str) -> tuple[Key, ...]:
    return (
        Key("include", Kind.GLOBS, '["*"]', f"Which {subject}: globs over {what}.", nonempty=True),
        Key("exclude", Kind.GLOBS, "[]", f"Which {subject} to leave out of those; globs over {what}."),
    )


def _collector(name: str, interval: str) -> Section:
    return Section(
        name,
        _COLLECTOR_MEANINGS[name],
        (
            Key("enabled", Kind.BOOLEAN, "true", "Whether to ask for this at all."),
            Key(
                "interval",
                Kind.DURATION,
                interval,
                "Ask again when the last success is older; 0s: at every scrape.",
            ),
            Key(
                "max_age",
                Kind.DURATION,
                DEFAULT_MAX_AGE,
                "Withhold data that is older. At least 3 intervals, also where it is left out.",
                minimum="1s",
            ),
        ),
    )


SHARED: tuple[Section, ...] = (
    Section(
        "collectors",
        "What is asked of Flatfile, and how often.",
        tuple(_collector(name, interval) for name, interval in COLLECTOR_INTERVALS.items()),
    ),
    Section(
        "spaces",
        "How spaces are counted.",
        (
            Key(
                "inactive_after",
                Kind.DURATIONS,
                "[30d, 90d]",
                "Count active spaces without any activity for each of these times.",
                nonempty=True,
                minimum="1s",
            ),
            Key(
                "full_resync",
                Kind.DURATION,
                "1h",
                "Within this time the whole list of spaces is read anew, changed or not.",
                minimum="1s",
            ),
            Key("per_space", Kind.BOOLEAN, "false", "Expose each space with series of its own."),
            Key(
                "max_series",
                Kind.INTEGER,
                "1000",
                "The most spaces to expose so, most recently active first.",
                minimum="1",
            ),
        ),
    ),
    Section(
        "events",
        "How events are counted.",
        (
            Key(
                "window",
                Kind.DURATION,
                "5m",
                "The time over which events per second are counted.",
                minimum="1s",
            ),
            Key(
                "overlap",
                Kind.DURATION,
                "60s",
                "How late an event may appear in Flatfile's list and still be counted.",
            ),
            Key(
                "max_catch_up",
                Kind.DURATION,
                "1h",
                "With `--storage.path`: after a restart, counting goes on where it was if that is not longer ago; "
                "else it begins anew, at 0.",
                minimum="1s",
            ),
            *_globs("events", _TOPIC),
            Key(
                "max_topics",
                Kind.INTEGER,
                "200",
                "Topics that the exporter does not know are counted under their own names up to this many, "
                "then together as `other`.",
                minimum="1",
            ),
        ),
    ),
    Section(
        "jobs",
        "How jobs are counted.",
        (Key("window", Kind.DURATION, "24h", "Jobs created within this time are counted.", minimum="1s"),),
    ),
    Section(
        "guests",
        "How guests are counted.",
        (
            Key(
                "full_resync",
                Kind.DURATION,
                "6h",
                "Within this time the guests of every space are read anew, changed or not.",
                minimum="1s",
            ),
        ),
    ),
    Section(
        "requests",
        "Limits of the requests to Flatfile, for each account.",
        (
            Key(
                "concurrency",
                Kind.INTEGER,
                "4",
                "Requests under way at the same time.",
                minimum="1",
                maximum="64",
            ),
            Key(
                "per_second",
                Kind.NUMBER,
                "10",
                "Requests a second; twice as many in a burst.",
                above="0",
                maximum="10000",
            ),
            Key("timeout", Kind.DURATION, "10s", "How long one try may take.", above="0s"),
            Key(
                "retries",
                Kind.INTEGER,
                "3",
                "Tries of one request, the first included.",
                minimum="1",
                maximum="10",
            ),
            Key(
                "max_response_bytes",
                Kind.SIZE,
                "64MiB",
                "The largest answer, unpacked; a larger one is an error.",
                minimum="64KiB",
            ),
            Key(
                "max_pages",
                Kind.INTEGER,
                "10000",
                "The most pages of one list; more are an error.",
                minimum="1",
            ),
            Key(
                "proxy_url",
                Kind.PROXY,
                "null",
                "An HTTP proxy to go through, such as http://proxy:3128; user:password@ may stand before the host.",
            ),
            Section(
                "tls",
                "How Flatfile's certificate is checked.",
                (
                    Key(
                        "ca_file",
                        Kind.FILE,
                        "null",
                        "Certificates (PEM) to trust instead of the usual authorities.",
                    ),
                    Key(
                        "insecure_skip_verify",
                        Kind.BOOLEAN,
                        "false",
                        "Accept any certificate. Whoever is in between can then read the credentials.",
                    ),
                ),
            ),
        ),
    ),
)

DEFAULT_BASE_URL = "https://platform.flatfile.com/v1"

ACCOUNT: tuple[Entry, ...] = (
    Key(
        "name",
        Kind.TEXT,
        None,
        "The value of the `account` label. Each account needs its own.",
        required=True,
    ),
    Key(
        "base_url",
        Kind.URL,
        DEFAULT_BASE_URL,
        "Where the account's API is. `https://` and `/v1` may be left out.",
    ),
    Key(
        "allow_http",
        Kind.BOOLEAN,
        "false",
        "Allow a base_url with http:// that does not point to this machine.",
    ),
    Section(
        "auth",
        "The credentials: a client id with its secret, or an access token; of each, the value or a file.",
        (
            Key("client_id", Kind.TEXT, None, "The client id of the credentials."),
            Key("client_id_file", Kind.FILE, None, "A file that holds the client id."),
            Key("client_secret", Kind.CREDENTIAL, None, "The secret that belongs to the client id."),
            Key("client_secret_file", Kind.FILE, None, "A file that holds that secret."),
            Key(
                "access_token",
                Kind.CREDENTIAL,
                None,
                "A ready token, used as it is, such as a personal access token.",
            ),
            Key("access_token_file", Kind.FILE, None, "A file that holds that token."),
        ),
    ),
    Section("environments", "Which environments to export; all by default.", _globs("environments", _PLACE)),
    Sections(
        "expected_agents",
        "Agents that should be deployed. One that is missing shows in `flatfile_agent_missing`.",
        (
            Key("environment", Kind.TEXT, None, "The environment: a glob over name and id.", required=True),
            Key(
                "agents",
                Kind.GLOBS,
                "[]",
                "The agents: globs over slug and id. May be empty only beside `min`.",
            ),
            Key(
                "min",
                Kind.INTEGER,
                "null",
                "The least number of agents that the environment should have.",
                minimum="1",
            ),
        ),
    ),
    *SHARED,
)

ROOT: tuple[Entry, ...] = (
    Sections("accounts", "The accounts to export, at least one.", ACCOUNT, required=True),
    *SHARED,
)
