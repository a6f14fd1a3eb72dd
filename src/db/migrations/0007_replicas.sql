-- Several processes over one database: who they are, and who does what only one of them has to do.

CREATE TABLE replica (
  id {name} NOT NULL PRIMARY KEY,
  host {name} NOT NULL,
  roles {name} NOT NULL,
  version {name} NOT NULL,
  started_at {time} NOT NULL,
  heartbeat_at {time} NOT NULL
);
CREATE INDEX replica_heartbeat ON replica (heartbeat_at);

-- Work that one replica at a time does, as long as it keeps saying so.
CREATE TABLE turn (
  name {name} NOT NULL PRIMARY KEY,
  holder {name} NOT NULL,
  held_until {time} NOT NULL
);

-- Which replica runs it; empty until one has taken it.
ALTER TABLE gc_run ADD COLUMN replica {name} NOT NULL DEFAULT '';
ALTER TABLE gc_run ADD COLUMN stop_requested {bool} NOT NULL DEFAULT 0;
