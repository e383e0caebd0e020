CREATE TABLE author (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    bio  TEXT
);

CREATE TABLE book (
    id        INTEGER PRIMARY KEY,
    author_id INTEGER NOT NULL REFERENCES author (id) ON DELETE CASCADE,
    title     TEXT NOT NULL,
    pages     INTEGER,
    price     REAL,
    cover     BLOB,
    available BOOLEAN NOT NULL DEFAULT TRUE,
    published DATE,
    added     DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
