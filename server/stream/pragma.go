package stream

import (
	"strconv"
	"strings"

	"github.com/nearlite/nearlite/hrana"
)

// What a PRAGMA may do here follows sqld where clients depend on it. A setting of
// one connection would be nobody's or everybody's: statements of one stream run
// on whatever connection is free. So those that decide what statements mean are
// refused, but for foreign_keys, which migrations need; see alone.go.

// freePragmas go to the engine, with or without a value: they only tell, or what
// they set is in the file or ends with the transaction.
var freePragmas = map[string]bool{
	"table_info": true, "table_xinfo": true, "table_list": true, "index_list": true, "index_info": true,
	"index_xinfo": true, "foreign_key_list": true, "foreign_key_check": true, "database_list": true,
	"collation_list": true, "function_list": true, "module_list": true, "pragma_list": true,
	"compile_options": true, "integrity_check": true, "quick_check": true, "user_version": true,
	"application_id": true, "defer_foreign_keys": true,
}

// toldPragmas go to the engine without a value.
var toldPragmas = map[string]bool{
	"analysis_limit": true, "auto_vacuum": true, "automatic_index": true, "busy_timeout": true, "cache_size": true,
	"cache_spill": true, "cell_size_check": true, "checkpoint_fullfsync": true, "data_version": true,
	"encoding": true, "freelist_count": true, "fullfsync": true, "hard_heap_limit": true,
	"journal_size_limit": true, "legacy_alter_table": true, "legacy_file_format": true, "locking_mode": true,
	"max_page_count": true, "mmap_size": true, "page_count": true, "page_size": true, "query_only": true,
	"read_uncommitted": true, "recursive_triggers": true, "reverse_unordered_selects": true,
	"schema_version": true, "secure_delete": true, "soft_heap_limit": true, "stats": true, "synchronous": true,
	"temp_store": true, "threads": true, "trusted_schema": true, "wal_autocheckpoint": true,
}

// pragma reads a PRAGMA.
func (c *class) pragma() {
	l := &lexer{sql: c.text}
	for t := l.next(); !t.is("PRAGMA"); t = l.next() {
	}
	name := l.next()
	t := l.next()
	schema := ""
	if t.text == "." {
		schema, name = name.name(), l.next()
		t = l.next()
	}
	if name.kind != word && name.kind != quoted {
		return // SQLite says what is wrong with it
	}
	c.name = strings.ToLower(name.name())
	if t.text == "=" || t.text == "(" {
		c.set = true
		if t = l.next(); t.text == "-" || t.text == "+" {
			c.value, t = t.text, l.next()
		}
		c.value += t.name()
	}
	if strings.EqualFold(schema, "temp") && c.set {
		c.kind, c.reason = unsupported, "the schema temp is shared by all"
		return
	}
	switch {
	case c.name == "foreign_keys":
		c.kind = foreignKeys
	case c.name == "journal_mode":
		c.constant("wal")
	case c.name == "busy_timeout" && c.set:
		c.constant(c.value)
	case c.name == "query_only" && !c.set: // readers have it on
		c.constant("0")
	case c.name == "optimize":
		c.kind = alone
	case freePragmas[c.name], toldPragmas[c.name] && !c.set:
	default:
		c.kind, c.reason = unsupported, "the setting would be that of one connection, and the server has its own"
	}
}

// constant makes a PRAGMA one that has the same answer always: setting it to that
// is granted, to anything else is not.
func (c *class) constant(answer string) {
	c.kind = constant
	if c.set && !strings.EqualFold(c.value, answer) {
		c.kind, c.reason = unsupported, "it is "+answer+" and stays so"
	}
	c.value = answer
}

// constantRow answers a PRAGMA of kind constant.
func (c *class) constantRow() *hrana.StmtResult {
	name := c.name
	v := hrana.Value{Kind: hrana.Text, Text: c.value}
	if c.name != "journal_mode" {
		if c.name == "busy_timeout" {
			name = "timeout"
		}
		n, _ := strconv.ParseInt(c.value, 10, 64) // what is no number is 0, as SQLite has it
		v = hrana.Value{Kind: hrana.Integer, Integer: max(n, 0)}
	}
	return oneRow(name, v)
}

func oneRow(name string, v hrana.Value) *hrana.StmtResult {
	return &hrana.StmtResult{Cols: []hrana.Col{{Name: &name}}, Rows: [][]hrana.Value{{v}}}
}

// isOff reads a boolean as SQLite does: on is what looks like it.
func isOff(value string) bool {
	switch strings.ToLower(value) {
	case "on", "yes", "true", "full", "extra":
		return false
	}
	n, err := strconv.ParseInt(value, 0, 32)
	return err != nil || n == 0
}
