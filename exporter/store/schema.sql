-- One account's state. Each table is written by one collector (named in its comment) and read by any.
--
-- Times are unix seconds. `created`, `updated` and the like are Flatfile's own; `…_at` is when the exporter asked.
-- NULL is "not known". Ids are Flatfile's. There are no e-mail addresses and no names of people.

-- store: what the file belongs to and which settings the counts follow.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- environments: the account that the credentials belong to, one row.
CREATE TABLE account (
  id   TEXT NOT NULL,
  name TEXT NOT NULL,
  at   REAL NOT NULL
);

-- environments: the environments as listed last.
CREATE TABLE environment (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,       -- the id again where it has none
  production INTEGER NOT NULL,    -- 1: Flatfile marks it as production
  selected   INTEGER NOT NULL,    -- 1: the configuration selects it
  shown      INTEGER NOT NULL     -- 1: selected, and one of the first environments.max_series: it is read and has series
) WITHOUT ROWID;

-- environments: the ways in which guests may enter an environment.
CREATE TABLE guest_authentication (
  environment_id TEXT NOT NULL,
  method         TEXT NOT NULL,
  PRIMARY KEY (environment_id, method)
) WITHOUT ROWID;

-- every collector, its own rows: when it last read an environment completely ('' is the whole account).
CREATE TABLE known (
  collector      TEXT NOT NULL,
  environment_id TEXT NOT NULL,
  at             REAL NOT NULL,   -- metrics are withheld when this is older than max_age
  verified_at    REAL,            -- when an environment that an account-wide list does not mention was asked by itself
  PRIMARY KEY (collector, environment_id)
) WITHOUT ROWID;

-- environments, agents, spaces: how many objects have no series of their own because there are too many.
CREATE TABLE series_dropped (
  collector TEXT PRIMARY KEY,
  count     INTEGER NOT NULL
) WITHOUT ROWID;

-- users, spaces: how a long list was last read completely.
CREATE TABLE list_reading (
  list       TEXT NOT NULL,       -- the table: user, space
  scope      TEXT NOT NULL,       -- an environment's id, '' for the whole account
  at         REAL NOT NULL,
  pages      INTEGER NOT NULL,    -- that it took, the longest of the lists
  comparable INTEGER NOT NULL,    -- 1: the server's total agreed with the rows, and since then the newest came in order
  PRIMARY KEY (list, scope)
) WITHOUT ROWID;

-- users: the account's team.
CREATE TABLE user (
  id       TEXT PRIMARY KEY,
  lists    INTEGER NOT NULL,      -- always 1: there is one list of users
  created  REAL,
  activity REAL,                  -- lastSeenAt
  told     INTEGER NOT NULL       -- 1: the row had the field lastSeenAt at all
) WITHOUT ROWID;

-- spaces: all spaces of the account, also those of environments that are not selected.
CREATE TABLE space (
  id             TEXT PRIMARY KEY,
  lists          INTEGER NOT NULL, -- which lists have it: 1 the plain one, 2 the one with archived=true, 3 both
  environment_id TEXT NOT NULL,
  state          TEXT NOT NULL,    -- active, archived, expired
  created        REAL,
  updated        REAL,
  activity       REAL,             -- lastActivityAt
  files          INTEGER,
  workbooks      INTEGER,
  name           TEXT,             -- name, namespace and app_id only with spaces.per_space
  namespace      TEXT,
  app_id         TEXT
) WITHOUT ROWID;

-- agents: the deployed agents.
CREATE TABLE agent (
  environment_id TEXT NOT NULL,
  id             TEXT NOT NULL,
  name           TEXT NOT NULL,   -- the slug; the id again where it has none
  namespace      TEXT NOT NULL,
  system         INTEGER NOT NULL,
  created        REAL,
  updated        REAL,
  PRIMARY KEY (environment_id, id)
) WITHOUT ROWID;

-- guests: short numbers for the environments, which hundreds of thousands of rows name.
CREATE TABLE guest_environment (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE
);

-- guests: the guests. An environment's count is the number of its rows.
CREATE TABLE guest (
  no          INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  environment INTEGER NOT NULL      -- guest_environment.no
);

-- guests: the spaces that guests are in, or that were asked for their guests.
CREATE TABLE guest_space (
  no          INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  environment INTEGER NOT NULL,     -- guest_environment.no
  asked_at    REAL,                 -- when it was last asked by itself; NULL: never
  told        INTEGER NOT NULL      -- 0: its list does not say when its guests were in it
);

-- guests: which guest is in which space.
CREATE TABLE membership (
  space         INTEGER NOT NULL,   -- guest_space.no
  guest         INTEGER NOT NULL,   -- guest.no
  last_accessed REAL,               -- in whole seconds
  PRIMARY KEY (space, guest)
) WITHOUT ROWID;

-- events: the events of about the last hour: ids tell what is new, and other collectors look where something happened.
-- Those on guests stay until the space was asked for its guests, for a day at most.
CREATE TABLE event (
  id             TEXT PRIMARY KEY,
  environment_id TEXT NOT NULL,
  topic          TEXT NOT NULL,     -- as counted: 'other' beyond events.max_topics
  counted        INTEGER NOT NULL,  -- 1: events.include and events.exclude choose its topic
  space_id       TEXT,
  created        REAL NOT NULL,
  seen_at        REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX event_by_environment ON event (environment_id, seen_at);
CREATE INDEX event_by_space ON event (space_id, seen_at) WHERE topic IN ('space:guestAdded', 'space:guestRemoved');

-- events: where reading has come to in each environment, and in the account as a whole (''), where new environments begin.
-- The next reading begins at newest - events.overlap, but not before known_since.
CREATE TABLE event_position (
  environment_id TEXT PRIMARY KEY,
  newest         REAL NOT NULL,     -- createdAt of the newest event read
  known_since    REAL NOT NULL,     -- older events may have been counted though their ids are not in the table event
  began          REAL NOT NULL,     -- events created earlier are not counted
  read_at        REAL NOT NULL      -- when it was last read, by the server's clock
) WITHOUT ROWID;

-- events: what was counted, by topic ('other' beyond events.max_topics).
CREATE TABLE event_count (
  environment_id TEXT NOT NULL,
  topic          TEXT NOT NULL,
  count          INTEGER NOT NULL,
  PRIMARY KEY (environment_id, topic)
) WITHOUT ROWID;

-- events: the same by who caused them.
CREATE TABLE event_actor_count (
  environment_id TEXT NOT NULL,
  actor_type     TEXT NOT NULL,
  count          INTEGER NOT NULL,
  PRIMARY KEY (environment_id, actor_type)
) WITHOUT ROWID;

-- events: the newest event of each environment.
CREATE TABLE event_last (
  environment_id TEXT PRIMARY KEY,
  created        REAL NOT NULL
) WITHOUT ROWID;

-- executions: the runs of agents that ended in the last two hours or so, each once. They have no ids.
CREATE TABLE run (
  environment_id TEXT NOT NULL,
  key            INTEGER NOT NULL,  -- a hash of all that the API says of it
  agent_id       TEXT NOT NULL,     -- '' where the agent is not known
  event_id       TEXT NOT NULL,
  started        REAL,
  ended          REAL NOT NULL,
  success        INTEGER NOT NULL,
  lag_known      INTEGER NOT NULL,  -- 1: its event was seen, or is not expected any more
  PRIMARY KEY (environment_id, key)
) WITHOUT ROWID;

-- executions: finished runs since counting began. `result`: success, failure.
CREATE TABLE run_count (
  environment_id TEXT NOT NULL,
  agent_id       TEXT NOT NULL,
  result         TEXT NOT NULL,
  count          INTEGER NOT NULL,
  ended          REAL NOT NULL,     -- when the latest of them ended
  PRIMARY KEY (environment_id, agent_id, result)
) WITHOUT ROWID;

-- executions, jobs: histograms. Each row is a bucket by itself (not cumulative); `sum` is that of its observations.
CREATE TABLE histogram (
  family         TEXT NOT NULL,     -- run_duration, queue_lag, job_wait, job_duration
  environment_id TEXT NOT NULL,
  label          TEXT NOT NULL,     -- agent id, job type, or ''
  le             REAL NOT NULL,     -- upper bound, infinity for the last
  count          INTEGER NOT NULL,
  sum            REAL NOT NULL,
  PRIMARY KEY (family, environment_id, label, le)
) WITHOUT ROWID;

-- executions: how far an environment's runs have been followed.
CREATE TABLE run_reading (
  environment_id TEXT PRIMARY KEY,
  began          REAL NOT NULL,     -- runs that ended earlier are not counted
  looked_at      REAL NOT NULL,     -- when its newest runs were last read
  hour_read_at   REAL,              -- when its runs of an hour were last read, by the server's clock
  pending        INTEGER NOT NULL,  -- 1: a run had not ended then, or its agent was not known yet
  unordered      INTEGER NOT NULL   -- 1: the list is long and in no order: it is read less often
) WITHOUT ROWID;

-- jobs: the jobs that were created or finished within jobs.window, and older ones that are open.
CREATE TABLE job (
  environment_id TEXT NOT NULL,
  id             TEXT NOT NULL,
  type           TEXT NOT NULL,
  status         TEXT NOT NULL,
  created        REAL NOT NULL,
  started        REAL,
  finished       REAL,
  counted        INTEGER NOT NULL,  -- 1: it is in job_count, or finished before counting began
  missed         INTEGER NOT NULL,  -- 1: the last list should have held it and did not; twice in a row means deleted
  PRIMARY KEY (environment_id, id)
) WITHOUT ROWID;

CREATE INDEX job_by_status ON job (environment_id, status, created);

-- jobs: the statuses of jobs: those that the exporter knows, and others that it met ('other' beyond a number).
CREATE TABLE job_status (
  name TEXT PRIMARY KEY,
  open INTEGER NOT NULL             -- 0: a job has ended with it, or its status is not told
) WITHOUT ROWID;

-- jobs: finished jobs since counting began. `status`: complete, failed, canceled.
CREATE TABLE job_count (
  environment_id TEXT NOT NULL,
  type           TEXT NOT NULL,
  status         TEXT NOT NULL,
  count          INTEGER NOT NULL,
  PRIMARY KEY (environment_id, type, status)
) WITHOUT ROWID;

-- jobs: how far an environment's jobs have been followed.
CREATE TABLE job_reading (
  environment_id TEXT PRIMARY KEY,
  looked_at      REAL NOT NULL,     -- when its newest jobs were last read
  began          REAL NOT NULL,     -- jobs that finished earlier are not counted
  read_at        REAL NOT NULL,     -- looked_at by the server's clock
  window_read_at REAL NOT NULL,     -- when all jobs of the window were last read
  deep_read_at   REAL NOT NULL,     -- when the list was last read further down than the newest jobs
  pages          INTEGER NOT NULL,  -- that this took
  unreached      INTEGER NOT NULL,  -- 1: open jobs lie further down than was read last
  unordered      INTEGER NOT NULL   -- 1: the list is long and in no order: it is read less often
) WITHOUT ROWID;
