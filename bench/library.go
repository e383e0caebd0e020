package bench

import "github.com/nearlite/nearlite/sqlite"

// Library is the SQLite that Nearlite and its peers ran on: one and the same.
type Library struct {
	Version        string   `json:"version"`
	SourceID       string   `json:"source_id"`
	CompileOptions []string `json:"compile_options"`
}

// DescribeLibrary describes the SQLite compiled into this process.
func DescribeLibrary() Library {
	return Library{
		Version:        sqlite.Version(),
		SourceID:       sqlite.SourceID(),
		CompileOptions: sqlite.CompileOptions(),
	}
}
