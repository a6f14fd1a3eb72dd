-- Online garbage collection: what nobody keeps, how long the deleted can be restored, and what runs did.

-- Artifacts that nothing keeps (no tag, no parent, no subject, no live lease) and that stay until somebody asks for
-- untagged ones to go. A row may be out of date: whoever acts on it looks at the artifact again.
CREATE TABLE untagged (
  artifact_id {int} NOT NULL PRIMARY KEY
);

CREATE INDEX artifact_trash_age ON artifact_trash (op_time, id);
CREATE INDEX artifact_trash_manifest ON artifact_trash (manifest_id);

CREATE TABLE gc_run (
  id {id},
  cause {name} NOT NULL,
  status {name} NOT NULL,
  operator {name} NOT NULL,
  delete_untagged {bool} NOT NULL,
  dry_run {bool} NOT NULL,
  workers {int} NOT NULL,
  reviewed {int} NOT NULL,
  condemned {int} NOT NULL,
  purged_blobs {int} NOT NULL,
  purged_manifests {int} NOT NULL,
  purged_artifacts {int} NOT NULL,
  freed_space {int} NOT NULL,
  message {text} NOT NULL,
  creation_time {time} NOT NULL,
  update_time {time} NOT NULL
);

CREATE TABLE gc_log (
  id {id},
  run_id {int} NOT NULL,
  op_time {time} NOT NULL,
  line {text} NOT NULL,
  FOREIGN KEY (run_id) REFERENCES gc_run (id)
);
CREATE INDEX gc_log_of ON gc_log (run_id, id);
