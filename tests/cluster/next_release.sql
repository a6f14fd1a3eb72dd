-- What a later release might add, for the test of rolling upgrades; it comes after the last migration of src/db/migrations.
ALTER TABLE artifact ADD COLUMN next_release {int};

CREATE TABLE next_release (
  id {id},
  name {name} NOT NULL
);
CREATE UNIQUE INDEX next_release_name ON next_release (name);
