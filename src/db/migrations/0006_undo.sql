-- What lets somebody keep the collector from removing content, and what the trash must know to give content back.

-- While a row here has not expired, the collector removes nothing (registry/hold.h).
CREATE TABLE collection_hold (
  id {name} NOT NULL PRIMARY KEY,
  owner {name} NOT NULL,
  taken_at {time} NOT NULL,
  expires_at {time} NOT NULL
);
CREATE INDEX collection_hold_expiry ON collection_hold (expires_at);

-- Names are used again, by other people too: only the id tells whose trash it is.
ALTER TABLE artifact_trash ADD COLUMN project_id {int} NOT NULL DEFAULT 0;
-- Digest of the subject whose removal took this artifact along; empty when it went by itself.
ALTER TABLE artifact_trash ADD COLUMN taken_with {digest} NOT NULL DEFAULT '';
-- As the artifact had it: made from a config that may be gone when the artifact comes back.
ALTER TABLE artifact_trash ADD COLUMN extra_attributes {text} NOT NULL DEFAULT {empty};

{embedded}UPDATE artifact_trash SET project_id =
  COALESCE((SELECT r.project_id FROM repository r WHERE r.id = artifact_trash.repository_id), 0);

CREATE INDEX artifact_trash_in ON artifact_trash (project_id, id);
