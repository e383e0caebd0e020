-- name: CreateAuthor :one
INSERT INTO author (name, bio) VALUES (?, ?) RETURNING *;

-- name: CreateBook :one
INSERT INTO book (author_id, title, pages, price, cover, available, published)
VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *;

-- name: GetBook :one
SELECT * FROM book WHERE id = ? LIMIT 1;

-- name: ListBooks :many
SELECT book.*, author.name AS author FROM book JOIN author ON author.id = book.author_id
WHERE author.name = sqlc.arg(author) ORDER BY title;

-- name: ListTitles :many
SELECT title FROM book WHERE id IN (sqlc.slice(ids)) ORDER BY title;

-- name: SetAvailable :execrows
UPDATE book SET available = sqlc.arg(available) WHERE author_id = sqlc.arg(author_id);

-- name: AddAuthor :execlastid
INSERT INTO author (name, bio) VALUES (?, sqlc.narg(bio));

-- name: RenameAuthor :execresult
UPDATE author SET name = ? WHERE id = ?;

-- name: DeleteAuthor :exec
DELETE FROM author WHERE id = ?;

-- name: CountBooks :one
SELECT count(*) AS books, coalesce(sum(pages), 0) AS pages, max(added) AS latest FROM book;
