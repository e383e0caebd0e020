// Package server serves the databases of a catalog over HTTP: to every libSQL client
// by Hrana, to everyone else by a plain JSON API, to an operator by metrics and the
// web console.
package server
