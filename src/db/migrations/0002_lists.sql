-- Lists whose pages are asked for by number: how many entries each has and where the n-th stands, without counting
-- (auth/counted_list.h). An entry stands by its name, or by its time and id.

ALTER TABLE repository ADD COLUMN listed {bool} NOT NULL DEFAULT 0;
ALTER TABLE artifact ADD COLUMN listed {bool} NOT NULL DEFAULT 0;

{embedded}UPDATE repository SET listed = 1 WHERE artifact_count > 0 AND full_name < '~';
{embedded}UPDATE artifact SET listed = 1 WHERE
  (EXISTS (SELECT 1 FROM tag t WHERE t.artifact_id = artifact.id)
    OR NOT EXISTS (SELECT 1 FROM artifact_child c WHERE c.child_id = artifact.id))
  AND (subject_digest IS NULL OR NOT EXISTS (SELECT 1 FROM artifact s
    WHERE s.repository_id = artifact.repository_id AND s.digest = artifact.subject_digest));

CREATE INDEX project_public ON project (public, name);
CREATE INDEX repository_listed ON repository (listed, creation_time, id);
CREATE INDEX repository_listed_in ON repository (project_id, listed, creation_time, id);
CREATE INDEX repository_listed_name ON repository (listed, full_name);
CREATE INDEX repository_listed_name_in ON repository (project_id, listed, name);
CREATE INDEX artifact_listed ON artifact (repository_id, listed, push_time, id);

-- A stretch of a list: its entries from this place up to the first place of the next one. The first of a list
-- begins before every entry.
CREATE TABLE list_bucket (
  list {name} NOT NULL,
  scope_id {int} NOT NULL,
  first_name {name} NOT NULL,
  first_time {time} NOT NULL,
  first_id {int} NOT NULL,
  entries {int} NOT NULL,
  PRIMARY KEY (list, scope_id, first_name, first_time, first_id)
);

{embedded}INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries)
  SELECT 'project', 0, CASE WHEN k = 0 THEN '' ELSE name END, 0, 0, CASE WHEN n - k < 1024 THEN n - k ELSE 1024 END
  FROM (SELECT name, ROW_NUMBER() OVER (ORDER BY name) - 1 AS k, COUNT(*) OVER () AS n FROM project) numbered
  WHERE k % 1024 = 0;
{embedded}INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries)
  SELECT 'public_project', 0, CASE WHEN k = 0 THEN '' ELSE name END, 0, 0,
    CASE WHEN n - k < 1024 THEN n - k ELSE 1024 END
  FROM (SELECT name, ROW_NUMBER() OVER (ORDER BY name) - 1 AS k, COUNT(*) OVER () AS n FROM project
    WHERE public = 1) numbered
  WHERE k % 1024 = 0;
{embedded}INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries)
  SELECT 'repository', 0, '', CASE WHEN k = 0 THEN 0 ELSE creation_time END, CASE WHEN k = 0 THEN 0 ELSE id END,
    CASE WHEN n - k < 1024 THEN n - k ELSE 1024 END
  FROM (SELECT creation_time, id, ROW_NUMBER() OVER (ORDER BY creation_time, id) - 1 AS k, COUNT(*) OVER () AS n
    FROM repository WHERE listed = 1) numbered
  WHERE k % 1024 = 0;
{embedded}INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries)
  SELECT 'project_repository', project_id, '', CASE WHEN k = 0 THEN 0 ELSE creation_time END,
    CASE WHEN k = 0 THEN 0 ELSE id END, CASE WHEN n - k < 1024 THEN n - k ELSE 1024 END
  FROM (SELECT project_id, creation_time, id,
    ROW_NUMBER() OVER (PARTITION BY project_id ORDER BY creation_time, id) - 1 AS k,
    COUNT(*) OVER (PARTITION BY project_id) AS n FROM repository WHERE listed = 1) numbered
  WHERE k % 1024 = 0;
{embedded}INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries)
  SELECT 'repository_name', 0, CASE WHEN k = 0 THEN '' ELSE full_name END, 0, 0,
    CASE WHEN n - k < 1024 THEN n - k ELSE 1024 END
  FROM (SELECT full_name, ROW_NUMBER() OVER (ORDER BY full_name) - 1 AS k, COUNT(*) OVER () AS n
    FROM repository WHERE listed = 1) numbered
  WHERE k % 1024 = 0;
{embedded}INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries)
  SELECT 'project_repository_name', project_id, CASE WHEN k = 0 THEN '' ELSE name END, 0, 0,
    CASE WHEN n - k < 1024 THEN n - k ELSE 1024 END
  FROM (SELECT project_id, name, ROW_NUMBER() OVER (PARTITION BY project_id ORDER BY name) - 1 AS k,
    COUNT(*) OVER (PARTITION BY project_id) AS n FROM repository WHERE listed = 1) numbered
  WHERE k % 1024 = 0;
{embedded}INSERT INTO list_bucket (list, scope_id, first_name, first_time, first_id, entries)
  SELECT 'artifact', repository_id, '', CASE WHEN k = 0 THEN 0 ELSE push_time END,
    CASE WHEN k = 0 THEN 0 ELSE id END, CASE WHEN n - k < 1024 THEN n - k ELSE 1024 END
  FROM (SELECT repository_id, push_time, id,
    ROW_NUMBER() OVER (PARTITION BY repository_id ORDER BY push_time, id) - 1 AS k,
    COUNT(*) OVER (PARTITION BY repository_id) AS n FROM artifact WHERE listed = 1) numbered
  WHERE k % 1024 = 0;
