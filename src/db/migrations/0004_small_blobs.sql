-- Small blobs are rows, and one index tells who holds a blob (docs/adr/0010).

-- The bytes of the blobs whose location is 'inline'.
CREATE TABLE blob_content (
  blob_id {int} NOT NULL PRIMARY KEY,
  bytes {bytes} NOT NULL,
  FOREIGN KEY (blob_id) REFERENCES blob (id)
);

-- The bytes of an upload of which the blob store has staged nothing.
ALTER TABLE upload ADD COLUMN content {bytes};

-- One index for "who holds the blob?" and "does this project?"; neither walks all holders of a popular one.
{embedded}DROP INDEX repository_blob_holders;
{embedded}DROP INDEX repository_blob_in_project;
CREATE INDEX repository_blob_holders ON repository_blob (blob_id, project_id);
