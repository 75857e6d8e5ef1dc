-- Version 1. Times are milliseconds since 1970, ids are the 32 bytes of the wire, `bytes` are kept as received.

-- What the node itself remembers, under names it chose.
CREATE TABLE setting (
    key         TEXT    NOT NULL PRIMARY KEY,
    value       BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- The circles this device is in, was in, or waits to be let into.
CREATE TABLE circle (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    circle_id   BLOB    NOT NULL UNIQUE,
    device_seed BLOB    NOT NULL,           -- this device's Ed25519 seed in this circle
    label       TEXT    NOT NULL,           -- what the person calls the circle
    created_ms  INTEGER NOT NULL,           -- when this device founded or first heard of it
    state       INTEGER NOT NULL,           -- 0 awaiting, 1 member, 2 removed, 3 left, 4 refused
    invitation  BLOB,                       -- the invitation to redeem, while awaiting
    listen_port INTEGER                     -- the UDP port last listened on
) STRICT;

-- The signed charter, parents before children.
CREATE TABLE charter_entry (
    position    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- order of arrival
    circle      INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    entry_id    BLOB    NOT NULL,
    bytes       BLOB    NOT NULL,
    UNIQUE (circle, entry_id)
) STRICT;
CREATE INDEX charter_entry_by_position ON charter_entry (circle, position);

-- The circle's rendezvous secrets, by the charter entry since which each holds.
CREATE TABLE rendezvous (
    circle      INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    epoch       BLOB    NOT NULL,
    secret      BLOB    NOT NULL,
    PRIMARY KEY (circle, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
    id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    circle          INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    conversation_id BLOB    NOT NULL,
    descriptor      BLOB    NOT NULL,           -- what it is between whom, in the journal's encoding
    archived        INTEGER NOT NULL DEFAULT 0, -- 1 when the person put it away
    UNIQUE (circle, conversation_id)
) STRICT;

-- One author's chain in one conversation.
CREATE TABLE chain (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    author       BLOB    NOT NULL,              -- device id
    read         INTEGER NOT NULL DEFAULT 0,    -- how many of its entries, from its start, the person here has read
    UNIQUE (conversation, author)
) STRICT;

-- The journal. In order of arrival, so that a batch touches few pages; small indices give the other orders.
CREATE TABLE entry (
    position     INTEGER NOT NULL PRIMARY KEY,  -- order of arrival
    conversation INTEGER NOT NULL,              -- the chain's, repeated for the index
    chain        INTEGER NOT NULL REFERENCES chain ON DELETE CASCADE,
    seq          INTEGER NOT NULL,
    lamport      INTEGER NOT NULL,
    message_id   BLOB    NOT NULL,
    claimed_ms   INTEGER NOT NULL,              -- when its author says it was written
    received_ms  INTEGER NOT NULL,              -- when this device stored it
    header       BLOB    NOT NULL,              -- the signed bytes
    body         BLOB,                          -- none once erased
    signature    BLOB                           -- where a run ends
) STRICT;
CREATE UNIQUE INDEX entry_by_chain ON entry (chain, seq);
CREATE INDEX entry_by_time ON entry (conversation, lamport);
-- Hashes come in random order; grouped by 8192 arrivals, a batch touches tens of index pages and not hundreds.
CREATE INDEX entry_by_id ON entry (position >> 13, substr(message_id, 1, 8));

-- How much of a chain another device says it has stored, and its person read.
CREATE TABLE receipt (
    chain       INTEGER NOT NULL REFERENCES chain ON DELETE CASCADE,
    device      BLOB    NOT NULL,
    stored      INTEGER NOT NULL,               -- entries from the start of the chain
    read        INTEGER NOT NULL,               -- entries from the start of the chain
    PRIMARY KEY (chain, device)
) STRICT, WITHOUT ROWID;

-- Proof that one key signed two entries at one place.
CREATE TABLE fork (
    chain       INTEGER NOT NULL PRIMARY KEY REFERENCES chain ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    proof_a     BLOB    NOT NULL,
    proof_b     BLOB    NOT NULL
) STRICT;

-- Where other devices were or may be reached.
CREATE TABLE address (
    circle      INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    device      BLOB    NOT NULL,
    address     TEXT    NOT NULL,               -- IP address and port
    source      INTEGER NOT NULL,               -- 0 invitation, 1 announced by the device, 2 seen, 3 lan, 4 typed in
    noted_ms    INTEGER NOT NULL,               -- when last heard of
    last_ok_ms  INTEGER,                        -- when last connected to
    PRIMARY KEY (circle, device, address)
) STRICT, WITHOUT ROWID;

-- Invitations this device issued and may show again.
CREATE TABLE issued_invitation (
    circle      INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    entry_id    BLOB    NOT NULL,               -- the charter's invite entry
    link        BLOB    NOT NULL,               -- with its one-time secret
    issued_ms   INTEGER NOT NULL,
    PRIMARY KEY (circle, entry_id)
) STRICT, WITHOUT ROWID;

-- Devices the person has checked to be whose they claim to be.
CREATE TABLE verification (
    circle      INTEGER NOT NULL REFERENCES circle ON DELETE CASCADE,
    device      BLOB    NOT NULL,
    method      INTEGER NOT NULL,               -- 0 safety words, 1 QR code
    at_ms       INTEGER NOT NULL,
    signature   BLOB    NOT NULL,               -- by this device's key
    PRIMARY KEY (circle, device)
) STRICT, WITHOUT ROWID;
