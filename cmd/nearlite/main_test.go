package main

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nearlite/nearlite/internal/versitygw"
	"github.com/nearlite/nearlite/sqlite"
)

// TestMain lets scripts and terminals run this binary as nearlite.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nearlite": main})
}

// The scripts use the command as its users do, with the stock sqlite3 program as
// the other party where it is installed.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", env.WorkDir+"/state")
			env.Values["server"] = new(*served)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "readonly":
				return canMakeReadOnly(), nil
			case "small":
				return canMakeSmall(), nil
			case "s3":
				return hasGateway(), nil
			case "fts5":
				return slices.Contains(sqlite.CompileOptions(), "ENABLE_FTS5"), nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"damage":   damage,
			"gateway":  gateway,
			"readonly": readonly,
			"server":   serverCommand,
			"stop":     stopCommand,
			"small":    small,
		},
	})
}

// damage FILE how changes a file: cut keeps half of it, noise writes random bytes
// over all of it, page writes them over its second page.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage FILE cut|noise|page")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	switch args[1] {
	case "cut":
		data = data[:len(data)/2]
	case "noise":
		scramble(data)
	case "page":
		scramble(data[4096:8192])
	default:
		ts.Fatalf("unknown damage %s", args[1])
	}
	ts.Check(os.WriteFile(path, data, 0o600))
}

// scramble fills data with bytes that look encrypted and are always the same.
func scramble(data []byte) {
	state := uint64(0x9E3779B97F4A7C15)
	for i := range data {
		state = state*6364136223846793005 + 1442695040888963407
		data[i] = byte(state >> 56)
	}
}

// hasGateway reports whether there is an S3 server to test with.
var hasGateway = sync.OnceValue(func() bool {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	g, err := versitygw.Run(dir)
	if err != nil {
		return false
	}
	g.Stop()
	return true
})

// gateway BUCKET starts an S3 server with a bucket, sets $S3 to its endpoint, and
// the credentials for it.
func gateway(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gateway BUCKET")
	}
	dir := ts.MkAbs("buckets")
	ts.Check(os.Mkdir(dir, 0o755))
	g, err := versitygw.Run(dir)
	ts.Check(err)
	ts.Defer(g.Stop)
	ts.Check(g.Bucket(args[0]))
	ts.Setenv("S3", g.Endpoint)
	ts.Setenv("AWS_ACCESS_KEY_ID", versitygw.AccessKey)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", versitygw.SecretKey)
}
