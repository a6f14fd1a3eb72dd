-- A hard limit that many transactions may spend at once (docs/adr/0013).

-- Bytes of a limited project's room, promised to whoever locks the row. They count in quota.used until they are spent:
-- usage is quota.used, plus the ledger, less what is promised here. Made by database servers only.
CREATE TABLE quota_slice (
  project_id {int} NOT NULL,
  slot {int} NOT NULL,
  headroom {int} NOT NULL,
  PRIMARY KEY (project_id, slot)
);

-- Whether the event of a nearly full project was sent, and its usage has not been seen below the mark since.
ALTER TABLE quota ADD COLUMN warned {bool} NOT NULL DEFAULT 0;
UPDATE quota SET warned = 1 WHERE hard_limit >= 100 AND used >= hard_limit / 100 * 85;
