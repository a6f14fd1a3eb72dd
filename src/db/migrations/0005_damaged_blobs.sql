-- Content that was found missing or different from its digest. It answers as absent until it is pushed again.

ALTER TABLE blob ADD COLUMN damaged_at {time};
-- What was not looked at for longest comes first.
CREATE INDEX blob_verified ON blob (verified_at, id);
