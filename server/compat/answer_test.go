package compat

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The messages that come back, with the fields that are compared. A server's
// own figures (replication_index, rows_read, query_duration_ms …) are left out.
type (
	pipelineAnswer struct {
		Baton   *string `json:"baton"`
		Results []struct {
			Type     string          `json:"type"`
			Response json.RawMessage `json:"response"`
			Error    *answerError    `json:"error"`
		} `json:"results"`
	}
	answerError struct {
		Message string  `json:"message"`
		Code    *string `json:"code"`
	}
	answerColumn struct {
		Name     *string `json:"name"`
		Decltype *string `json:"decltype"`
	}
	answerValue struct {
		Type   string          `json:"type"`
		Value  json.RawMessage `json:"value"`
		Base64 string          `json:"base64"`
	}
	answerResult struct {
		Cols            []answerColumn  `json:"cols"`
		Rows            [][]answerValue `json:"rows"`
		AffectedRows    int64           `json:"affected_row_count"`
		LastInsertRowID *string         `json:"last_insert_rowid"`
	}
	answerBatch struct {
		StepResults []*answerResult `json:"step_results"`
		StepErrors  []*answerError  `json:"step_errors"`
	}
	answerDescription struct {
		Params []struct {
			Name *string `json:"name"`
		} `json:"params"`
		Cols       []answerColumn `json:"cols"`
		IsExplain  bool           `json:"is_explain"`
		IsReadonly bool           `json:"is_readonly"`
	}
	answerEntry struct {
		Type            string          `json:"type"`
		Step            int             `json:"step"`
		Cols            []answerColumn  `json:"cols"`
		Row             []answerValue   `json:"row"`
		AffectedRows    int64           `json:"affected_row_count"`
		LastInsertRowID json.RawMessage `json:"last_insert_rowid"` // a number here, where a result has a string
		Error           *answerError    `json:"error"`
	}
)

// formatResponse writes one answer of a pipeline as lines.
func formatResponse(raw json.RawMessage) ([]string, error) {
	var head struct {
		Type         string          `json:"type"`
		Result       json.RawMessage `json:"result"`
		IsAutocommit *bool           `json:"is_autocommit"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, err
	}
	switch head.Type {
	case "execute":
		var result answerResult
		err := json.Unmarshal(head.Result, &result)
		return formatResult(&result), err
	case "batch":
		var batch answerBatch
		err := json.Unmarshal(head.Result, &batch)
		return formatBatch(&batch), err
	case "describe":
		var d answerDescription
		err := json.Unmarshal(head.Result, &d)
		return formatDescription(&d), err
	case "get_autocommit":
		if head.IsAutocommit == nil {
			return nil, fmt.Errorf("get_autocommit without an answer: %s", raw)
		}
		return []string{fmt.Sprintf("autocommit %t", *head.IsAutocommit)}, nil
	}
	return []string{"ok"}, nil
}

func formatResult(r *answerResult) []string {
	var lines []string
	if len(r.Cols) > 0 {
		lines = append(lines, formatColumns(r.Cols))
	}
	for _, row := range r.Rows {
		lines = append(lines, "  "+formatRow(row))
	}
	return append(lines, formatEnd(r.AffectedRows, r.LastInsertRowID, lines == nil)...)
}

func formatEnd(affected int64, rowid *string, alone bool) []string {
	var parts []string
	if affected != 0 {
		parts = append(parts, fmt.Sprintf("affected %d", affected))
	}
	if rowid != nil {
		parts = append(parts, "rowid "+*rowid)
	}
	if parts == nil && alone {
		return []string{"ok"}
	}
	if parts == nil {
		return nil
	}
	return []string{strings.Join(parts, ", ")}
}

func formatColumns(cols []answerColumn) string {
	var names []string
	for _, c := range cols {
		name := "(no name)"
		if c.Name != nil {
			name = strings.ReplaceAll(*c.Name, "\n", `\n`)
		}
		if c.Decltype != nil {
			name += " (" + *c.Decltype + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, " | ")
}

func formatRow(row []answerValue) string {
	var values []string
	for _, v := range row {
		values = append(values, formatValue(v))
	}
	return strings.Join(values, " | ")
}

func formatValue(v answerValue) string {
	switch v.Type {
	case "null":
		return "null"
	case "integer":
		return strings.Trim(string(v.Value), `"`)
	case "text":
		var s string
		if json.Unmarshal(v.Value, &s) == nil {
			return strconv.Quote(s)
		}
	case "blob":
		if blob, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v.Base64, "=")); err == nil {
			return fmt.Sprintf("x'%x'", blob)
		}
	case "float":
		var f float64
		if string(v.Value) != "null" && json.Unmarshal(v.Value, &f) == nil {
			return formatFloat(f)
		}
	}
	return fmt.Sprintf("%s %s%s", v.Type, v.Value, v.Base64)
}

func formatFloat(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if f == math.Trunc(f) && !strings.ContainsAny(s, "e.") {
		return s + ".0"
	}
	return s
}

func formatError(e *answerError) []string {
	code := "(no code)"
	if e.Code != nil {
		code = *e.Code
	}
	return []string{fmt.Sprintf("error %s: %s", code, strings.ReplaceAll(e.Message, "\n", `\n`))}
}

func formatBatch(b *answerBatch) []string {
	var lines []string
	for i, result := range b.StepResults {
		var step []string
		switch {
		case i < len(b.StepErrors) && b.StepErrors[i] != nil:
			step = formatError(b.StepErrors[i])
		case result != nil:
			step = formatResult(result)
		default:
			step = []string{"skipped"}
		}
		for _, line := range step {
			lines = append(lines, fmt.Sprintf("%d: %s", i, line))
		}
	}
	if len(b.StepErrors) != len(b.StepResults) {
		lines = append(lines, fmt.Sprintf("%d results and %d errors", len(b.StepResults), len(b.StepErrors)))
	}
	if lines == nil {
		return []string{"no steps"}
	}
	return lines
}

func formatDescription(d *answerDescription) []string {
	var lines []string
	if len(d.Params) > 0 {
		line := "params"
		for _, p := range d.Params {
			name := "?"
			if p.Name != nil {
				name = *p.Name
			}
			line += " " + name
		}
		lines = append(lines, line)
	}
	if len(d.Cols) > 0 {
		lines = append(lines, "columns "+formatColumns(d.Cols))
	}
	kind := "writes"
	if d.IsReadonly {
		kind = "reads only"
	}
	if d.IsExplain {
		kind += ", an explain"
	}
	return append(lines, kind)
}

// formatEntries writes the lines of a cursor.
func formatEntries(body []byte) ([]string, error) {
	var lines []string
	for text := range strings.Lines(string(body)) {
		var e answerEntry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, fmt.Errorf("entry %q: %w", text, err)
		}
		switch e.Type {
		case "step_begin":
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("begin %d %s", e.Step, formatColumns(e.Cols))))
		case "row":
			lines = append(lines, "  "+formatRow(e.Row))
		case "step_end":
			lines = append(lines, "end "+strings.Join(formatEnd(e.AffectedRows, e.rowid(), true), ""))
		case "replication_index": // a figure of the server
		case "step_error":
			lines = append(lines, fmt.Sprintf("step %d %s", e.Step, formatError(e.Error)[0]))
		case "error":
			lines = append(lines, formatError(e.Error)...)
		default:
			return nil, fmt.Errorf("entry of type %q", e.Type)
		}
	}
	if lines == nil {
		return []string{"no entries"}, nil
	}
	return lines, nil
}

// rowid is the number as it was written, so that a string shows as one.
func (e *answerEntry) rowid() *string {
	if s := string(e.LastInsertRowID); s != "" && s != "null" {
		return &s
	}
	return nil
}
