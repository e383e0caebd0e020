package shell

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// completionPatience is how long Tab may look into the database.
const completionPatience = 500 * time.Millisecond

// A completer finishes the word before the cursor.
type completer struct{ s *session }

// keywords that begin or join the parts of a statement.
var keywords = strings.Fields(`ALTER ANALYZE AND AS ASC ATTACH BEGIN BETWEEN BY CASE CAST CHECK COLLATE COMMIT
CONFLICT CONSTRAINT CREATE CROSS DATABASE DEFAULT DELETE DESC DETACH DISTINCT DROP ELSE END ESCAPE EXCEPT EXISTS
EXPLAIN FOREIGN FROM GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY LEFT LIKE LIMIT MATCH NOT NULL
OFFSET ON OR ORDER OUTER OVER PARTITION PLAN PRAGMA PRIMARY QUERY RECURSIVE REFERENCES REINDEX RELEASE RENAME
REPLACE RETURNING ROLLBACK SAVEPOINT SELECT SET STRICT TABLE THEN TRANSACTION TRIGGER UNION UNIQUE UPDATE USING
VACUUM VALUES VIEW VIRTUAL WHEN WHERE WITH WITHOUT`)

// complete returns the line before the word, what the word may become, and the
// line after it. at counts characters.
func (c *completer) complete(line string, at int) (head string, words []string, tail string) {
	runes := []rune(line)
	at = min(at, len(runes))
	before, tail := string(runes[:at]), string(runes[at:])
	start := strings.LastIndexFunc(before, func(r rune) bool { return strings.ContainsRune(" \t(),;=<>+-*/|", r) }) + 1
	switch head, word := before[:start], before[start:]; {
	case isCommand(line) && start == 0:
		return "", matching(commandNames(), word, ""), tail
	case isCommand(line):
		return c.argument(before, tail)
	default:
		return head, c.sql(head, word), tail
	}
}

// argument completes what follows a command: the name of a table, or a file.
func (c *completer) argument(before, tail string) (string, []string, string) {
	start := strings.LastIndexAny(before, " \t") + 1
	head, word := before[:start], before[start:]
	args := strings.Fields(head)
	switch {
	case args[0] == ".mode":
		var modes []string
		for _, m := range Modes {
			modes = append(modes, string(m))
		}
		return head, matching(modes, word, ""), tail
	case args[0] == ".import" && (len(args) == 1 || len(args) == 2 && args[1] == "--csv"):
		return head, files(word), tail
	}
	return head, matching(c.tables(), word, ""), tail
}

// sql completes a word of a statement: a column after a table's name and a dot,
// a table where only one can stand, any name or keyword else.
func (c *completer) sql(head, word string) []string {
	if table, column, ok := strings.Cut(word, "."); ok {
		return matching(c.columns(table), column, table+".")
	}
	switch lastWord(head) {
	case "FROM", "JOIN", "INTO", "UPDATE", "TABLE":
		return matching(c.tables(), word, "")
	}
	if word == "" {
		return nil
	}
	found := matching(c.columns("%"), word, "")
	found = append(found, matching(c.tables(), word, "")...)
	found = append(found, matching(keywords, word, "")...)
	slices.Sort(found)
	return slices.Compact(found)
}

func lastWord(text string) string {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return ""
	}
	return strings.ToUpper(fields[len(fields)-1])
}

// matching returns the names that begin as the word does, in its case.
func matching(names []string, word, prefix string) (found []string) {
	for _, name := range names {
		if len(name) < len(word) || !strings.EqualFold(name[:len(word)], word) {
			continue
		}
		if word != "" && word == strings.ToLower(word) && name == strings.ToUpper(name) {
			name = strings.ToLower(name)
		}
		found = append(found, prefix+name)
	}
	return found
}

func commandNames() (names []string) {
	for _, c := range dotCommands {
		names = append(names, c.name)
	}
	return names
}

func (c *completer) tables() []string {
	return c.names(`SELECT name FROM pragma_table_list WHERE type <> 'shadow' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`)
}

// columns lists the columns of the tables whose name matches.
func (c *completer) columns(table string) []string {
	return c.names(`SELECT DISTINCT i.name FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) i
		WHERE t.name LIKE ?1 AND t.type <> 'shadow' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND i.hidden <> 1 ORDER BY 1`, table)
}

// names asks the database. What cannot be answered soon is not offered.
func (c *completer) names(sql string, args ...any) (names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), completionPatience)
	defer cancel()
	for row, err := range c.s.connection().query(ctx, sql, args...) {
		if err != nil {
			return names
		}
		names = append(names, plain(row[0]))
	}
	return names
}

// files lists the files whose path begins as the word does.
func files(word string) (found []string) {
	paths, err := filepath.Glob(globQuote(word) + "*")
	if err != nil {
		return nil
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path += string(filepath.Separator)
		}
		found = append(found, path)
	}
	return found
}

func globQuote(word string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(word)
}
