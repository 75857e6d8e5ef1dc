-- Version 2: messages can be changed, taken back, expire, be found.

-- What sort of entry it is: 0 message, 1 edit, 2 delete, 3 reaction, 4 pin, 5 expiry, 6 not known.
ALTER TABLE entry ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
-- Why there is no body: 0 it is there, or has not come yet; 1 deleted; 2 expired; 3 it was said before the person here
-- came to the group. 8 is added where the author's chain had ended before: the entry counts for nothing.
ALTER TABLE entry ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
-- Only messages have a place on the screen.
DROP INDEX entry_by_time;
CREATE INDEX entry_by_time ON entry (conversation, lamport) WHERE kind = 0;
CREATE INDEX entry_beside ON entry (chain, seq) WHERE kind <> 0;
CREATE INDEX entry_without_body ON entry (position) WHERE body IS NULL AND gone = 0;

-- Which message an entry changes.
CREATE TABLE change (
    position     INTEGER NOT NULL PRIMARY KEY REFERENCES entry ON DELETE CASCADE,
    target       BLOB    NOT NULL,              -- the message's id
    kind         INTEGER NOT NULL,              -- the entry's
    chain        INTEGER NOT NULL,              -- the entry's
    latest       INTEGER NOT NULL               -- 1 for the last of this kind in its chain for this message
) STRICT;
CREATE INDEX change_by_target ON change (target, kind);
CREATE INDEX change_latest ON change (target, kind, chain) WHERE latest = 1;

-- When messages are erased that do not stay.
CREATE TABLE expiring (
    position     INTEGER NOT NULL PRIMARY KEY REFERENCES entry ON DELETE CASCADE,
    at_ms        INTEGER NOT NULL
) STRICT;
CREATE INDEX expiring_by_time ON expiring (at_ms);

-- The words of all texts, by the position of their entries; the texts themselves stand in `entry` alone.
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = '', detail = 'none', prefix = '3',
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
-- What is taken out of the index leaves nothing behind in it.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
-- Up to which position texts are in the index.
CREATE TABLE words_until (
    only         INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    position     INTEGER NOT NULL
) STRICT;
INSERT INTO words_until VALUES (1, 0);

-- What the person has written and not sent.
CREATE TABLE draft (
    conversation INTEGER NOT NULL PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    text         TEXT    NOT NULL,
    reply        BLOB                           -- the id of the message it answers
) STRICT;

-- Until when the person wants no notice of a conversation.
ALTER TABLE conversation ADD COLUMN muted_until_ms INTEGER NOT NULL DEFAULT 0;

-- Members whose messages the person does not want to see.
CREATE TABLE blocked (
    circle       INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    member       BLOB    NOT NULL,
    PRIMARY KEY (circle, member)
) STRICT, WITHOUT ROWID;

-- The signed acts of groups: who came in, who went, what the group is called.
CREATE TABLE group_act (
    position     INTEGER NOT NULL PRIMARY KEY,  -- order of arrival
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    bytes        BLOB    NOT NULL
) STRICT;
CREATE INDEX group_act_by_conversation ON group_act (conversation, position);
