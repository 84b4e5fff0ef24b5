"""What `inventory` prints of an account: the list, what is missing of it, and how old it is."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from exporter.account.one_shot import Trouble
from exporter.audit.models import Named
from exporter.cli.inventory_kinds import KINDS, PEOPLE, Deployed, Environment, View, matrix, matrix_table
from exporter.cli.inventory_tables import Column, Rows, json_line, json_lines, write_csv, write_table
from exporter.cli.objects import OF_THE_ACCOUNT
from exporter.collectors._context import WHOLE_ACCOUNT, known_at
from exporter.config import AccountConfig, matches
from exporter.core.printable import printable
from exporter.core.units import format_duration
from exporter.flatfile import times
from exporter.store.database import Connection

WHOLE = Environment(WHOLE_ACCOUNT, "", production=False)
NOT_STORED = "the exporter has not read it, or its collector is off"


@dataclass(frozen=True, slots=True)
class Options:
    """What the flags say. `storage_path`: the directory of a running exporter, instead of asking. Durations in seconds."""

    kind: str
    environments: Sequence[str] = ()
    format: str = "table"
    output: Path | None = None
    inactive: float | None = None
    matrix: bool = False
    people: bool = False
    storage_path: Path | None = None
    timeout: float = 600.0

    @property
    def collectors(self) -> Sequence[str]:
        """The collectors that know of what is asked for."""
        return ("environments", "agents") if self.matrix else KINDS[self.kind].collectors


@dataclass(frozen=True, slots=True)
class Unread:
    """What is missing. `part` is what could not be read, `environment` where (`None`: everywhere); `reason` is for the user."""

    part: str
    environment: Environment | None
    reason: str
    is_sentence: bool = False  # the reason says it all

    def __str__(self) -> str:
        if self.is_sentence:
            return self.reason
        where = "" if self.environment is None else f" of environment {self.environment.name} ({self.environment.id})"
        return f"{self.part}{where} could not be read: {self.reason}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an account's rows come from. `failed` are the failures by collector, `unread` what else could not be read.

    `now` is by Flatfile's clock (unix seconds), which is `ahead` of ours. `people` are users or guests by id, if their names
    were asked for. `read_by_exporter`: from the database of an exporter.
    """

    now: float
    failed: Mapping[str, Sequence[Trouble]]
    unread: Sequence[Unread] = ()
    people: Mapping[str, Named] | None = None
    ahead: float = 0.0
    token_expiry: float | None = None
    read_by_exporter: bool = False


class Report:
    """Writes the accounts one after the other. `complete`: nothing was missing so far."""

    def __init__(self, options: Options, out: TextIO, err: TextIO, *, several: bool) -> None:
        self.complete = True
        self._options = options
        self._out = out
        self._err = err
        self._several = several
        self._kind = KINDS[options.kind]
        self._first = True
        self._remarks_to_err = options.format != "table" or options.output is not None
        terminal = options.output is None and out.isatty()
        self._width = shutil.get_terminal_size().columns if terminal else None

    def failed(self, account: str, text: str) -> None:
        """Report an account of which nothing is known."""
        self._remark(account, Unread("account", None, text, is_sentence=True))
        self._first = False
        self.complete = False

    def account(self, db: Connection, config: AccountConfig, source: Source) -> None:
        """Write what is known of an account, and what is not."""
        view, unread = self._view(db, config, source)
        out, name = self._out, config.name
        if self._options.format == "table" and not self._first:
            out.write("\n")
        if self._options.kind == "environments" or (self._several and self._options.format == "table"):
            self._account_line(db, config, source)
        self._rows(db, view)
        for each in unread:
            self._remark(name, each)
        self.complete = self.complete and not unread
        if source.read_by_exporter:
            self._ages(view, source)
        self._first = False

    def _view(self, db: Connection, config: AccountConfig, source: Source) -> tuple[View, list[Unread]]:
        options = self._options
        listed = db.execute("SELECT id, name, production FROM environment WHERE shown ORDER BY name, id")
        chosen = [Environment(id_, name, bool(production)) for id_, name, production in listed]
        environments = [each for each in chosen if matches(options.environments or "*", each.name, each.id)]
        known: dict[str, dict[str, float]] = {}
        for collector, environment, at in db.execute("SELECT collector, environment_id, at FROM known"):
            known.setdefault(collector, {})[environment] = at
        idle_since = None if options.inactive is None else source.now - options.inactive
        view = View(config, environments, known, source.ahead, idle_since, source.people, not options.environments)
        return view, [*self._unread(db, view, source)]

    def _unread(self, db: Connection, view: View, source: Source) -> Iterator[Unread]:
        """Yield what is missing of what was asked for."""
        yield from source.unread
        parts = [*self._options.collectors]
        if view.is_known("environments", WHOLE_ACCOUNT):
            yield from self._unmatched(view)
            (left,) = db.execute("SELECT count(*) FROM environment WHERE selected AND NOT shown").fetchone()
            if left:
                why = f"{left} environments beyond environments.max_series are not read"
                yield Unread("environments", None, why, is_sentence=True)
        else:
            parts = [part for part in parts if part in OF_THE_ACCOUNT]  # the others failed for the same reason
        for part in parts:
            reasons = [str(trouble) for trouble in source.failed.get(part, ())]
            scope = [WHOLE] if part in OF_THE_ACCOUNT else view.environments
            missing = [each for each in scope if not view.is_known(part, each.id)]
            if not missing:
                yield from (Unread(f"a part of {part}", None, reason) for reason in reasons)
                continue
            if not reasons:
                reasons = [NOT_STORED if source.read_by_exporter else "what it depends on could not be read"]
            places: Iterable[Environment | None] = [None] if len(missing) == len(scope) else missing
            yield from (Unread(part, environment, reason) for environment in places for reason in reasons)

    def _unmatched(self, view: View) -> Iterator[Unread]:
        for glob in self._options.environments:
            if not any(matches([glob], each.name, each.id) for each in view.environments):
                why = f"no environment that the configuration selects matches {glob!r}"
                yield Unread("environments", None, why, is_sentence=True)

    def _account_line(self, db: Connection, config: AccountConfig, source: Source) -> None:
        id_, name = db.execute("SELECT id, name FROM account").fetchone() or (None, None)
        users = None
        if self._options.kind == "environments" and known_at(db, "users") is not None:
            (users,) = db.execute("SELECT count(*) FROM user").fetchone()
        expiry = None if source.token_expiry is None else times.iso(source.token_expiry)
        if self._options.format == "json":
            members = {"id": id_, "name": name, "users": users, "token_expires": expiry}
            self._out.write(json_line("account", config.name, members))
        elif self._options.format == "table":
            said = [f"{name} ({id_})" if id_ else "", f"{users} users" if users is not None else ""]
            if self._options.kind == "environments" and expiry:
                said.append(f"token expires {expiry[:16].replace('T', ' ')}")
            text = f"account {config.name}: {', '.join(filter(None, said))}".removesuffix(": ")
            self._out.write(f"{printable(text)}\n\n")

    def _rows(self, db: Connection, view: View) -> None:
        options, account = self._options, view.config.name
        if options.matrix:
            self._matrix(matrix(db, view), account)
            return
        columns = self._kind.columns if view.people is None else (*self._kind.columns, *PEOPLE)
        self._write(columns, lambda: self._kind.rows(db, view), account)

    def _matrix(self, deployed: Sequence[Deployed], account: str) -> None:
        if self._options.format == "json":
            for each in deployed:
                members: dict[str, object] = {
                    "environment": each.environment.name,
                    "environment_id": each.environment.id,
                    "agents": each.agents,
                    "missing_agents": each.missing,
                }
                self._out.write(json_line("matrix", account, members))
            return
        columns, rows = matrix_table(deployed)
        self._write(columns, lambda: rows, account)

    def _write(self, columns: Sequence[Column], rows: Rows, account: str) -> None:
        if self._options.format == "table":
            write_table(self._out, columns, rows, self._width)
        elif self._options.format == "csv":
            write_csv(self._out, account, columns, rows, header=self._first)
        else:
            self._out.writelines(json_lines(self._kind.row, account, columns, rows))

    def _remark(self, account: str, unread: Unread) -> None:
        """Say what is missing: in the output, unless it is CSV, and where nobody would see it there on standard error."""
        if self._options.format == "table":
            self._out.write(f"! {printable(str(unread))}\n")
        elif self._options.format == "json":
            where = unread.environment
            members = {
                "part": unread.part,
                "environment": where.name if where else None,
                "environment_id": where.id if where else None,
                "reason": unread.reason,
            }
            self._out.write(json_line("unread", account, members))
        if self._remarks_to_err:
            self._say(account, str(unread))

    def _ages(self, view: View, source: Source) -> None:
        """Say when the exporter has read each part: on standard error, so that outputs can be compared."""
        for part in self._options.collectors:
            chosen = {each.id for each in view.environments} | {WHOLE_ACCOUNT}
            read = [at for environment, at in view.known.get(part, {}).items() if environment in chosen]
            if not read:
                continue
            ages = [format_duration(round(max(0.0, source.now - at))) for at in (max(read), min(read))]
            said = f"{part} read {' to '.join(dict.fromkeys(ages))} ago"
            self._say(view.config.name, said)
        if self._options.kind == "spaces" and not view.config.spaces.per_space:
            self._say(view.config.name, "names of spaces are stored only with spaces.per_space")

    def _say(self, account: str, text: str) -> None:
        self._err.write(f"flatfile-exporter: account {printable(account)}: {printable(text)}\n")
