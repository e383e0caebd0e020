-- +goose Up
CREATE VIRTUAL TABLE note_text USING fts5 (text, content='note', content_rowid='id');
-- +goose StatementBegin
CREATE TRIGGER note_inserted AFTER INSERT ON note BEGIN
    INSERT INTO note_text (rowid, text) VALUES (new.id, new.text);
    UPDATE notebook SET name = name WHERE id = new.notebook_id;
END;
-- +goose StatementEnd
INSERT INTO note (notebook_id, text) VALUES (1, 'the first note; with a semicolon');

-- +goose Down
DROP TRIGGER note_inserted;
DROP TABLE note_text;
