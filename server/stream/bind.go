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
	named := byName(stmt.NamedArgs)
	for i, param := range c.params {
		v := find(stmt, named, param, i)
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

// byName returns the named arguments by their names, of two with one name the last;
// nil when they are few, and quicker found by looking at each.
func byName(args []hrana.NamedArg) map[string]*hrana.Value {
	if len(args) <= 8 {
		return nil
	}
	named := make(map[string]*hrana.Value, len(args))
	for i := range args {
		named[args[i].Name] = &args[i].Value
	}
	return named
}

// find returns the value for the parameter at i, nil if there is none.
func find(stmt *hrana.Stmt, named map[string]*hrana.Value, param string, i int) *hrana.Value {
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
	if v := lookup(stmt, named, param); v != nil {
		return v
	}
	return lookup(stmt, named, param[1:])
}

func lookup(stmt *hrana.Stmt, named map[string]*hrana.Value, name string) *hrana.Value {
	if named != nil {
		return named[name]
	}
	for i := len(stmt.NamedArgs) - 1; i >= 0; i-- {
		if stmt.NamedArgs[i].Name == name {
			return &stmt.NamedArgs[i].Value
		}
	}
	return nil
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
