// Package stream is one connection to a database as libSQL's clients know it: a
// Hrana stream, with its statements, batches, transactions and stored texts, and
// without any HTTP.
package stream
