package stream

import (
	"strconv"

	"github.com/nearlite/nearlite/hrana"
)

// bind returns a statement's arguments in the order of its parameters.
func (c *class) bind(stmt *hrana.Stmt) ([]any, *hrana.Error) {
	if herr := c.tooMany(stmt); herr != nil {
		return nil, herr
	}
	if len(c.params) == 0 {
		return nil, nil
	}
	args := make([]any, len(c.params))
	for i, param := range c.params {
		v := find(stmt, param, i)
		switch {
		case v != nil:
			args[i] = argument(v)
		case c.explain: // what is not run needs no arguments
			return args, nil
		case param == "":
			return nil, argsError("value for parameter %d not found", i+1)
		default:
			return nil, argsError("value for parameter %s not found", param)
		}
	}
	return args, nil
}

// tooMany is the error of more arguments than parameters. A name that is given
// twice is one: the last value counts.
func (c *class) tooMany(stmt *hrana.Stmt) *hrana.Error {
	given := len(stmt.Args) + len(stmt.NamedArgs)
	if given > len(c.params) && len(stmt.NamedArgs) > 1 {
		names := map[string]bool{}
		for _, a := range stmt.NamedArgs {
			names[a.Name] = true
		}
		given = len(names)
	}
	if given > len(c.params) {
		return argsError("too many parameters, expected %d found %d", len(c.params), given)
	}
	return nil
}

// find returns the value for the parameter at i, nil if there is none.
func find(stmt *hrana.Stmt, param string, i int) *hrana.Value {
	if param != "" && param[0] == '?' {
		n, _ := strconv.Atoi(param[1:])
		i, param = n-1, ""
	}
	if param == "" {
		if i < 0 || i >= len(stmt.Args) {
			return nil
		}
		return &stmt.Args[i]
	}
	var full, bare *hrana.Value
	for j := range stmt.NamedArgs {
		switch a := &stmt.NamedArgs[j]; a.Name {
		case param:
			full = &a.Value
		case param[1:]:
			bare = &a.Value
		}
	}
	if full != nil {
		return full
	}
	return bare
}

// argument returns a value as the engine takes it.
func argument(v *hrana.Value) any {
	switch v.Kind {
	case hrana.Integer:
		return v.Integer
	case hrana.Float:
		return v.Float
	case hrana.Text:
		return v.Text
	case hrana.Blob:
		if v.Blob == nil {
			return []byte{}
		}
		return v.Blob
	}
	return nil
}
