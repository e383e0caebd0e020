package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nearlite/nearlite"
)

// Source is a database that can be imported.
type Source struct {
	Name   string // it is to have
	Was    string // its name where it comes from
	Path   string
	Config Config
}

// SQLDSources returns the databases in the data directory of a sqld, the server of
// libSQL: that directory itself, the one called dbs in it, or that of a single
// namespace. It returns none for any other directory, and for a file. The
// namespace default becomes [Main]; capitals become small letters.
func SQLDSources(ctx context.Context, dir string) ([]Source, error) {
	var namespaces []string
	meta := filepath.Join(dir, "metastore", "data")
	for _, at := range []struct{ pattern, meta string }{
		{filepath.Join(dir, "dbs", "*", "data"), meta},
		{filepath.Join(dir, "*", "data"), filepath.Join(dir, "..", "metastore", "data")},
		{filepath.Join(dir, "data"), filepath.Join(dir, "..", "..", "metastore", "data")},
	} {
		found, err := filepath.Glob(at.pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			// Every namespace has a log beside its data, the metastore has none.
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), "wallog")); err == nil {
				namespaces = append(namespaces, path)
			}
		}
		if meta = at.meta; len(namespaces) > 0 {
			break
		}
	}
	if len(namespaces) == 0 {
		return nil, nil
	}
	configs, err := readMetastore(ctx, meta)
	if err != nil {
		return nil, fmt.Errorf("read the configurations of %s: %w", dir, err)
	}
	return nameSources(namespaces, configs)
}

// nameSources gives each namespace the name its database is to have.
func nameSources(paths []string, configs map[string]Config) (list []Source, err error) {
	var errs []error
	taken := map[string]string{}
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		was := filepath.Base(filepath.Dir(abs))
		s := Source{Name: strings.ToLower(was), Was: was, Path: path, Config: configs[was]}
		if was == "default" {
			s.Name = Main
		}
		if err := CheckName(s.Name); err != nil {
			errs = append(errs, fmt.Errorf("the namespace %q: %w; import it by itself, with a name", was, err))
		}
		if other, ok := taken[s.Name]; ok {
			errs = append(errs, fmt.Errorf("the namespaces %q and %q would both be called %q: import one by itself, with a name", other, was, s.Name))
		}
		taken[s.Name] = was
		list = append(list, s)
	}
	return list, errors.Join(errs...)
}

// readMetastore reads the configuration of each namespace that has one.
func readMetastore(ctx context.Context, path string) (configs map[string]Config, err error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	defer leaveNoWAL(path)()
	db, err := nearlite.Open(ctx, path, &nearlite.Options{MustExist: true, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	configs = map[string]Config{}
	for row, err := range db.Query(ctx, "SELECT namespace, config FROM namespace_configs") {
		if err != nil {
			return nil, err
		}
		cfg, err := parseSQLDConfig(row.Blob(1))
		if err != nil {
			return nil, fmt.Errorf("of the namespace %q: %w", row.Text(0), err)
		}
		configs[row.Text(0)] = cfg
	}
	return configs, nil
}

// parseSQLDConfig reads the fields that mean something here of sqld's DatabaseConfig,
// a protobuf message: 1 block_reads, 2 block_writes, 3 block_reason, 4 max_db_pages.
func parseSQLDConfig(b []byte) (cfg Config, err error) {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return cfg, errNotProtobuf
		}
		b = b[n:]
		var value uint64
		var bytes []byte
		switch key & 7 { // the wire type
		case 0:
			value, n = binary.Uvarint(b)
		case 1:
			n = 8
		case 2:
			var size uint64
			if size, n = binary.Uvarint(b); n > 0 && size <= uint64(len(b)-n) {
				bytes = b[n : n+int(size)]
				n += int(size)
			} else {
				n = 0
			}
		case 5:
			n = 4
		default:
			n = 0
		}
		if n <= 0 || n > len(b) {
			return cfg, errNotProtobuf
		}
		b = b[n:]
		switch key >> 3 {
		case 1:
			cfg.BlockReads = value != 0
		case 2:
			cfg.BlockWrites = value != 0
		case 3:
			cfg.BlockReason = string(bytes)
		case 4:
			if value < 1<<32 { // else it stands for no limit
				cfg.MaxBytes = int64(value) * sqldPage
			}
		}
	}
	return cfg, nil
}

// sqldPage is the size of every page of sqld's.
const sqldPage = 4096

var errNotProtobuf = errors.New("it is no message of protobuf")
