-- Version 3: files.

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
