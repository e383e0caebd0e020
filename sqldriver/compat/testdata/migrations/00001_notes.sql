-- +goose Up
CREATE TABLE notebook (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE note (
    id          INTEGER PRIMARY KEY,
    notebook_id INTEGER NOT NULL REFERENCES notebook (id),
    text        TEXT NOT NULL,
    changed     DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO notebook (name) VALUES ('inbox');

-- +goose Down
DROP TABLE note;
DROP TABLE notebook;
