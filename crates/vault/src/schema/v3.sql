-- Version 3: files, and what each member's entries take.
-- Of kinds of entries, 7 is the end of others' chains.

-- Files of which chunks are kept beside the database, each under a key of its own. A file that is not here is not on this disk:
-- without its key its chunks are noise.
CREATE TABLE file (
    circle       INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    file_id      BLOB    NOT NULL,              -- the hash that names it
    size         INTEGER NOT NULL,              -- bytes
    key          BLOB    NOT NULL,              -- under which its chunks are sealed
    place        BLOB    NOT NULL,              -- 16 random bytes: what its chunks' files are called
    state        INTEGER NOT NULL,              -- 0 wanted, 1 paused, 2 held
    PRIMARY KEY (circle, file_id)
) STRICT, WITHOUT ROWID;

-- Which messages offer which file; gone with the message's body.
CREATE TABLE offer (
    position     INTEGER NOT NULL PRIMARY KEY REFERENCES entry ON DELETE CASCADE,
    circle       INTEGER NOT NULL,              -- the conversation's, repeated for the index
    file_id      BLOB    NOT NULL
) STRICT;
CREATE INDEX offer_by_file ON offer (circle, file_id);

-- How much each device's entries have taken here since they came, erased or not; and what of that a member may take in all,
-- if the person set it. Builds between the versions made these two as a part of version 2.
CREATE TABLE IF NOT EXISTS taken (
    circle       INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    author       BLOB    NOT NULL,
    bytes        INTEGER NOT NULL,
    PRIMARY KEY (circle, author)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS allowance (
    circle       INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    member       BLOB    NOT NULL,
    bytes        INTEGER NOT NULL,
    PRIMARY KEY (circle, member)
) STRICT, WITHOUT ROWID;
