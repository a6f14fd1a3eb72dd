-- Tokens in braces are rendered per engine (db/migration.cpp):
--   {id}    generated 64-bit primary key, never reused     {int}  64-bit integer      {time}  microseconds since 1970, UTC
--   {bool}  0 or 1        {name}  at most 255 bytes, compared byte by byte            {digest} at most 140 bytes, as {name}
--   {text}  long text     {bytes} long binary     {empty} '' as the default of a {text}
-- A statement that begins with {embedded} runs on the embedded engine only: it makes good what earlier versions did, and
-- those knew no other. References between tables are clauses of their own: MySQL ignores them beside a column.
-- Statements end with ';' at the end of a line.

CREATE TABLE property (
  name {name} NOT NULL PRIMARY KEY,
  value {text} NOT NULL,
  update_time {time} NOT NULL
);

CREATE TABLE user_account (
  id {id},
  username {name} NOT NULL UNIQUE,
  email {name},
  realname {name} NOT NULL,
  comment {text} NOT NULL,
  password_hash {text} NOT NULL,
  sysadmin {bool} NOT NULL,
  deleted {bool} NOT NULL,
  credential_version {int} NOT NULL,
  creation_time {time} NOT NULL,
  update_time {time} NOT NULL
);
CREATE UNIQUE INDEX user_account_email ON user_account (email);

CREATE TABLE project (
  id {id},
  name {name} NOT NULL UNIQUE,
  owner_id {int} NOT NULL,
  public {bool} NOT NULL,
  creation_time {time} NOT NULL,
  update_time {time} NOT NULL,
  FOREIGN KEY (owner_id) REFERENCES user_account (id)
);

CREATE TABLE project_metadata (
  project_id {int} NOT NULL,
  name {name} NOT NULL,
  value {text} NOT NULL,
  PRIMARY KEY (project_id, name),
  FOREIGN KEY (project_id) REFERENCES project (id)
);

CREATE TABLE project_member (
  id {id},
  project_id {int} NOT NULL,
  entity_type {name} NOT NULL,
  entity_id {int} NOT NULL,
  role {int} NOT NULL,
  creation_time {time} NOT NULL,
  update_time {time} NOT NULL,
  FOREIGN KEY (project_id) REFERENCES project (id)
);
CREATE UNIQUE INDEX project_member_entity ON project_member (project_id, entity_type, entity_id);
CREATE INDEX project_member_of ON project_member (entity_type, entity_id, project_id);

CREATE TABLE repository (
  id {id},
  project_id {int} NOT NULL,
  name {name} NOT NULL,
  full_name {name} NOT NULL,
  description {text} NOT NULL,
  artifact_count {int} NOT NULL,
  pull_count {int} NOT NULL,
  creation_time {time} NOT NULL,
  update_time {time} NOT NULL,
  FOREIGN KEY (project_id) REFERENCES project (id)
);
CREATE UNIQUE INDEX repository_name ON repository (project_id, name);
-- The catalog is ordered by the bytes of the whole name; project name and path apart sort differently ('-' and '.' before '/').
CREATE UNIQUE INDEX repository_full_name ON repository (full_name);

CREATE TABLE blob (
  id {id},
  digest {digest} NOT NULL UNIQUE,
  size {int} NOT NULL,
  location {name} NOT NULL,
  verified_at {time},
  creation_time {time} NOT NULL
);

CREATE TABLE repository_blob (
  repository_id {int} NOT NULL,
  blob_id {int} NOT NULL,
  project_id {int} NOT NULL,
  leased_until {time} NOT NULL,
  condemned_at {time},
  PRIMARY KEY (repository_id, blob_id),
  FOREIGN KEY (repository_id) REFERENCES repository (id),
  FOREIGN KEY (blob_id) REFERENCES blob (id)
);
{embedded}CREATE INDEX repository_blob_holders ON repository_blob (blob_id);
-- Does another repository of this project hold the blob? Must not walk all holders of a popular one.
{embedded}CREATE INDEX repository_blob_in_project ON repository_blob (project_id, blob_id);

CREATE TABLE manifest (
  id {id},
  digest {digest} NOT NULL UNIQUE,
  media_type {name} NOT NULL,
  config_digest {digest},
  config_media_type {name},
  size {int} NOT NULL,
  bytes {bytes} NOT NULL
);

CREATE TABLE artifact (
  id {id},
  project_id {int} NOT NULL,
  repository_id {int} NOT NULL,
  manifest_id {int} NOT NULL,
  digest {digest} NOT NULL,
  media_type {name} NOT NULL,
  artifact_type {name} NOT NULL,
  type {name} NOT NULL,
  subject_digest {digest},
  annotations {text} NOT NULL,
  extra_attributes {text} NOT NULL,
  size {int} NOT NULL,
  leased_until {time} NOT NULL,
  condemned_at {time},
  push_time {time} NOT NULL,
  pull_time {time},
  FOREIGN KEY (repository_id) REFERENCES repository (id),
  FOREIGN KEY (manifest_id) REFERENCES manifest (id)
);
CREATE UNIQUE INDEX artifact_digest ON artifact (repository_id, digest);
CREATE INDEX artifact_subject ON artifact (repository_id, subject_digest, id);
CREATE INDEX artifact_push ON artifact (repository_id, push_time, id);
CREATE INDEX artifact_manifest ON artifact (manifest_id, project_id);

CREATE TABLE artifact_blob (
  artifact_id {int} NOT NULL,
  blob_id {int} NOT NULL,
  repository_id {int} NOT NULL,
  PRIMARY KEY (artifact_id, blob_id),
  FOREIGN KEY (repository_id, blob_id) REFERENCES repository_blob (repository_id, blob_id),
  FOREIGN KEY (artifact_id) REFERENCES artifact (id)
);
CREATE INDEX artifact_blob_kept ON artifact_blob (repository_id, blob_id);

CREATE TABLE artifact_child (
  artifact_id {int} NOT NULL,
  child_id {int} NOT NULL,
  position {int} NOT NULL,
  descriptor {text} NOT NULL,
  PRIMARY KEY (artifact_id, child_id),
  FOREIGN KEY (artifact_id) REFERENCES artifact (id),
  FOREIGN KEY (child_id) REFERENCES artifact (id)
);
CREATE INDEX artifact_child_parents ON artifact_child (child_id);

CREATE TABLE tag (
  id {id},
  repository_id {int} NOT NULL,
  name {name} NOT NULL,
  artifact_id {int} NOT NULL,
  push_time {time} NOT NULL,
  pull_time {time},
  FOREIGN KEY (repository_id) REFERENCES repository (id),
  FOREIGN KEY (artifact_id) REFERENCES artifact (id)
);
CREATE UNIQUE INDEX tag_name ON tag (repository_id, name);
CREATE INDEX tag_artifact ON tag (artifact_id, name);

CREATE TABLE tag_history (
  id {id},
  repository_id {int} NOT NULL,
  name {name} NOT NULL,
  digest {digest} NOT NULL,
  operation {name} NOT NULL,
  operator {name} NOT NULL,
  op_time {time} NOT NULL
);
CREATE INDEX tag_history_of ON tag_history (repository_id, name, id);

CREATE TABLE artifact_trash (
  id {id},
  repository_id {int} NOT NULL,
  repository_name {name} NOT NULL,
  manifest_id {int} NOT NULL,
  digest {digest} NOT NULL,
  tags {text} NOT NULL,
  operator {name} NOT NULL,
  op_time {time} NOT NULL
);
CREATE INDEX artifact_trash_of ON artifact_trash (repository_name, digest);

CREATE TABLE review (
  id {id},
  kind {name} NOT NULL,
  repository_id {int} NOT NULL,
  object_id {int} NOT NULL,
  due_at {time} NOT NULL
);
CREATE INDEX review_due ON review (due_at, id);

CREATE TABLE deleting (
  location {name} NOT NULL PRIMARY KEY,
  digest {digest} NOT NULL,
  added_at {time} NOT NULL
);

CREATE TABLE upload (
  id {name} NOT NULL PRIMARY KEY,
  project_id {int} NOT NULL,
  repository_id {int} NOT NULL,
  identity {name} NOT NULL,
  generation {int} NOT NULL,
  byte_offset {int} NOT NULL,
  storage_token {text} NOT NULL,
  boot_id {name} NOT NULL,
  creation_time {time} NOT NULL,
  expires_at {time} NOT NULL
);
CREATE INDEX upload_of_project ON upload (project_id);
CREATE INDEX upload_of_identity ON upload (identity);
CREATE INDEX upload_expiry ON upload (expires_at);

CREATE TABLE project_blob (
  project_id {int} NOT NULL,
  blob_id {int} NOT NULL,
  PRIMARY KEY (project_id, blob_id),
  FOREIGN KEY (blob_id) REFERENCES blob (id)
);
CREATE INDEX project_blob_holders ON project_blob (blob_id);

CREATE TABLE quota (
  project_id {int} NOT NULL PRIMARY KEY,
  hard_limit {int} NOT NULL,
  used {int} NOT NULL,
  creation_time {time} NOT NULL,
  update_time {time} NOT NULL
);

CREATE TABLE quota_delta (
  id {id},
  project_id {int} NOT NULL,
  bytes {int} NOT NULL
);
CREATE INDEX quota_delta_of ON quota_delta (project_id, bytes);

CREATE TABLE pull_delta (
  id {id},
  repository_id {int} NOT NULL,
  artifact_id {int} NOT NULL,
  tag {name} NOT NULL,
  pulls {int} NOT NULL,
  pull_time {time} NOT NULL
);

CREATE TABLE event_outbox (
  id {id},
  type {name} NOT NULL,
  payload {text} NOT NULL,
  op_time {time} NOT NULL
);
