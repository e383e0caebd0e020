package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/nearlite/nearlite/catalog"
)

// listMax is how many databases one answer lists.
const listMax = 1000

// listDatabases answers GET /v1/databases: by name, those that begin with prefix and
// come after a name.
func (c *call) listDatabases() error {
	values := c.r.URL.Query()
	limit := 100
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 || n > listMax {
			return badRequest("limit is %q: a number from 1 to %d", text, listMax)
		}
		limit = n
	}
	list, err := c.s.cat.List(c.r.Context(), values.Get("prefix"), values.Get("after"), limit+1)
	if err != nil {
		return err
	}
	out := struct {
		Databases []catalog.Info `json:"databases"`
		Next      string         `json:"next,omitempty"` // ask for what comes after it
	}{Databases: list}
	if len(list) > limit {
		out.Databases, out.Next = list[:limit], list[limit-1].Name
	}
	if out.Databases == nil {
		out.Databases = []catalog.Info{}
	}
	return c.sendJSON(out)
}

// createDatabase answers POST /v1/databases: an empty one, or a copy of another.
func (c *call) createDatabase() error {
	var in struct {
		Name   string          `json:"name"`
		From   string          `json:"from"`
		Config json.RawMessage `json:"config"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	var info catalog.Info
	var err error
	if in.From != "" {
		if in.Config != nil {
			return badRequest("A copy has the configuration of its origin: change it afterwards")
		}
		info, err = c.s.cat.Fork(c.r.Context(), in.From, in.Name)
	} else {
		var cfg catalog.Config
		if err := decodeConfig(in.Config, &cfg); err != nil {
			return err
		}
		info, err = c.s.cat.Create(c.r.Context(), in.Name, &cfg)
	}
	if err != nil {
		return err
	}
	c.s.log.Info("made a database", "db", info.ID, "name", info.Name, "from", in.From)
	c.w.Header().Set("Location", "/v1/databases/"+info.Name)
	return send(c.w, http.StatusCreated, typeJSON, marshal(info))
}

// decodeConfig changes what a body says about a configuration, and nothing else. A
// name that is none is refused: it would do nothing.
func decodeConfig(raw json.RawMessage, cfg *catalog.Config) error {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(cfg); err != nil {
		return badRequest("config: %v", err)
	}
	return nil
}

// showDatabase answers GET /v1/databases/NAME.
func (c *call) showDatabase() error {
	info, err := c.s.cat.Lookup(c.r.Context(), c.arg)
	if err != nil {
		return err
	}
	return c.sendJSON(info)
}

// changeDatabase answers PATCH /v1/databases/NAME: another name, another
// configuration, or both.
func (c *call) changeDatabase() error {
	var in struct {
		Name   string          `json:"name"`
		Config json.RawMessage `json:"config"`
	}
	if err := c.readJSON(&in); err != nil {
		return err
	}
	ctx, name := c.r.Context(), c.arg
	if in.Name == "" && in.Config == nil {
		return badRequest("The body needs \"name\" or \"config\"")
	}
	if in.Config != nil {
		info, err := c.s.cat.Lookup(ctx, name)
		if err != nil {
			return err
		}
		if err := decodeConfig(in.Config, &info.Config); err != nil {
			return err
		}
		if err := c.s.cat.Configure(ctx, name, info.Config); err != nil {
			return err
		}
	}
	if in.Name != "" && in.Name != name {
		if err := c.s.cat.Rename(ctx, name, in.Name); err != nil {
			return err
		}
		name = in.Name
	}
	info, err := c.s.cat.Lookup(ctx, name)
	if err != nil {
		return err
	}
	c.s.log.Info("changed a database", "db", info.ID, "name", info.Name)
	return c.sendJSON(info)
}

// deleteDatabase answers DELETE /v1/databases/NAME.
func (c *call) deleteDatabase() error {
	if err := c.s.cat.Delete(c.r.Context(), c.arg); err != nil {
		return err
	}
	c.s.log.Info("deleted a database", "name", c.arg)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
