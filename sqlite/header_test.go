package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	constant  = regexp.MustCompile(`(?m)^#define (SQLITE_\w+) (\S.*)$`)
	structure = regexp.MustCompile(`(?ms)^struct (sqlite3_\w+) \{\n(.*?)^\};`)
	member    = regexp.MustCompile(`(?m)(\w+)(?:\)\([^;]*)?;$`)
)

// A prototype, constant or structure of ours that differs from the library's
// would compile and go wrong at run time. So the C compiler sees both: prototypes
// side by side, constants and the layout of structures as assertions.
func comparison(ours []byte) string {
	var c strings.Builder
	c.WriteString("#include <stddef.h>\n#include <stdint.h>\n#include \"sqlite3-binding.h\"\n")
	_, prototypes, _ := bytes.Cut(ours, []byte("/* Library */"))
	prototypes, _, _ = bytes.Cut(prototypes, []byte("#endif"))
	c.Write(prototypes)
	for _, m := range constant.FindAllSubmatch(ours, -1) {
		if !bytes.Contains(m[2], []byte("void")) { // pointers are no constants to an assertion
			fmt.Fprintf(&c, "_Static_assert((%s) == (%s), \"%s\");\n", m[1], m[2], m[1])
		}
	}
	for _, m := range structure.FindAllSubmatch(ours, -1) {
		fmt.Fprintf(&c, "struct our_%s {\n%s};\n", m[1], m[2])
		for _, f := range member.FindAllSubmatch(m[2], -1) {
			fmt.Fprintf(&c, "_Static_assert(offsetof(struct our_%s, %s) == offsetof(struct %s, %s), \"%s.%s\");\n", m[1], f[1], m[1], f[1], m[1], f[1])
		}
		fmt.Fprintf(&c, "_Static_assert(sizeof(struct our_%s) == sizeof(struct %s), \"%s\");\n", m[1], m[1], m[1])
	}
	return c.String()
}

// compile returns what the C compiler has against a program.
func compile(t *testing.T, source string) string {
	t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("no C compiler: %v", err)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/mattn/go-sqlite3").Output()
	if err != nil {
		t.Skipf("the library's module is not to be found: %v", err)
	}
	file := filepath.Join(t.TempDir(), "comparison.c")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(compiler, "-std=gnu11", "-fsyntax-only", "-I", strings.TrimSpace(string(dir)), file).CombinedOutput()
	return string(out)
}

func TestHeaderIsTheLibrarys(t *testing.T) {
	t.Parallel()
	ours, err := os.ReadFile("capi.h")
	if err != nil {
		t.Fatal(err)
	}
	source := comparison(ours)
	if n := strings.Count(source, "_Static_assert"); n < 80 {
		t.Errorf("only %d constants and members were found", n)
	}
	for name, value := range goConstants() {
		source += fmt.Sprintf("_Static_assert(%s == %d, \"%s in Go\");\n", name, value, name)
	}
	if problems := compile(t, source); problems != "" {
		t.Errorf("capi.h and the library's header differ:\n%s", problems)
	}
}

// goConstants are the numbers that stand in Go under a name of their own.
func goConstants() map[string]int {
	all := map[string]int{
		"SQLITE_OPEN_READONLY": int(OpenReadOnly), "SQLITE_OPEN_READWRITE": int(OpenReadWrite), "SQLITE_OPEN_CREATE": int(OpenCreate), "SQLITE_OPEN_URI": int(OpenURI),
		"SQLITE_OPEN_MEMORY": int(OpenMemory), "SQLITE_OPEN_NOFOLLOW": int(OpenNoFollow), "SQLITE_OPEN_NOMUTEX": int(openNoMutex),
		"SQLITE_INTEGER": int(Integer), "SQLITE_FLOAT": int(Float), "SQLITE_TEXT": int(Text), "SQLITE_BLOB": int(Blob), "SQLITE_NULL": int(Null),
		"SQLITE_DBCONFIG_ENABLE_FKEY": int(ConfigForeignKeys), "SQLITE_DBCONFIG_ENABLE_TRIGGER": int(ConfigTriggers), "SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE": int(ConfigNoCheckpointOnClose),
		"SQLITE_DBCONFIG_RESET_DATABASE": int(ConfigResetDatabase), "SQLITE_DBCONFIG_DEFENSIVE": int(ConfigDefensive), "SQLITE_DBCONFIG_WRITABLE_SCHEMA": int(ConfigWritableSchema),
		"SQLITE_DBCONFIG_DQS_DML": int(ConfigDoubleQuotedDML), "SQLITE_DBCONFIG_DQS_DDL": int(ConfigDoubleQuotedDDL), "SQLITE_DBCONFIG_ENABLE_VIEW": int(ConfigViews),
		"SQLITE_DBCONFIG_TRUSTED_SCHEMA": int(ConfigTrustedSchema),
		"SQLITE_LIMIT_LENGTH":            int(LimitLength), "SQLITE_LIMIT_SQL_LENGTH": int(LimitSQLLength), "SQLITE_LIMIT_COLUMN": int(LimitColumns), "SQLITE_LIMIT_EXPR_DEPTH": int(LimitExprDepth),
		"SQLITE_LIMIT_COMPOUND_SELECT": int(LimitCompoundSelect), "SQLITE_LIMIT_VDBE_OP": int(LimitOperations), "SQLITE_LIMIT_FUNCTION_ARG": int(LimitFunctionArgs),
		"SQLITE_LIMIT_ATTACHED": int(LimitAttached), "SQLITE_LIMIT_LIKE_PATTERN_LENGTH": int(LimitLikePatternLength), "SQLITE_LIMIT_VARIABLE_NUMBER": int(LimitParameters),
		"SQLITE_LIMIT_TRIGGER_DEPTH": int(LimitTriggerDepth), "SQLITE_LIMIT_WORKER_THREADS": int(LimitWorkerThreads),
		"SQLITE_CHECKPOINT_PASSIVE": int(CheckpointPassive), "SQLITE_CHECKPOINT_FULL": int(CheckpointFull), "SQLITE_CHECKPOINT_RESTART": int(CheckpointRestart),
		"SQLITE_CHECKPOINT_TRUNCATE": int(CheckpointTruncate), "SQLITE_TXN_NONE": int(TxnNone), "SQLITE_TXN_READ": int(TxnRead), "SQLITE_TXN_WRITE": int(TxnWrite),
		"SQLITE_DENY": int(Deny), "SQLITE_IGNORE": int(Ignore), "SQLITE_CREATE_INDEX": int(OpCreateIndex), "SQLITE_CREATE_TABLE": int(OpCreateTable),
		"SQLITE_CREATE_TEMP_INDEX": int(OpCreateTempIndex), "SQLITE_CREATE_TEMP_TABLE": int(OpCreateTempTable), "SQLITE_CREATE_TEMP_TRIGGER": int(OpCreateTempTrigger),
		"SQLITE_CREATE_TEMP_VIEW": int(OpCreateTempView), "SQLITE_CREATE_TRIGGER": int(OpCreateTrigger), "SQLITE_CREATE_VIEW": int(OpCreateView), "SQLITE_DELETE": int(OpDelete),
		"SQLITE_DROP_INDEX": int(OpDropIndex), "SQLITE_DROP_TABLE": int(OpDropTable), "SQLITE_DROP_TEMP_INDEX": int(OpDropTempIndex), "SQLITE_DROP_TEMP_TABLE": int(OpDropTempTable),
		"SQLITE_DROP_TEMP_TRIGGER": int(OpDropTempTrigger), "SQLITE_DROP_TEMP_VIEW": int(OpDropTempView), "SQLITE_DROP_TRIGGER": int(OpDropTrigger), "SQLITE_DROP_VIEW": int(OpDropView),
		"SQLITE_INSERT": int(OpInsert), "SQLITE_PRAGMA": int(OpPragma), "SQLITE_READ": int(OpRead), "SQLITE_SELECT": int(OpSelect), "SQLITE_TRANSACTION": int(OpTransaction),
		"SQLITE_UPDATE": int(OpUpdate), "SQLITE_ATTACH": int(OpAttach), "SQLITE_DETACH": int(OpDetach), "SQLITE_ALTER_TABLE": int(OpAlterTable), "SQLITE_REINDEX": int(OpReindex),
		"SQLITE_ANALYZE": int(OpAnalyze), "SQLITE_CREATE_VTABLE": int(OpCreateVTable), "SQLITE_DROP_VTABLE": int(OpDropVTable), "SQLITE_FUNCTION": int(OpFunction),
		"SQLITE_SAVEPOINT": int(OpSavepoint), "SQLITE_RECURSIVE": int(OpRecursive),
	}
	for code, name := range codeNames {
		all[name] = int(code)
	}
	return all
}

func TestHeaderThatDiffers(t *testing.T) {
	t.Parallel()
	for what, wrong := range map[string]string{
		"prototype": "/* Library */\nint sqlite3_libversion(void);\n#endif",
		"argument":  "/* Library */\nint sqlite3_column_int64(sqlite3_stmt *, int);\n#endif",
		"constant":  "#define SQLITE_ROW 99\n",
		"structure": "struct sqlite3_file {\n  int pMethods;\n};\n",
		"order":     "struct sqlite3_vfs {\n  int szOsFile;\n  int iVersion;\n};\n",
	} {
		if compile(t, comparison([]byte(wrong))) == "" {
			t.Errorf("a wrong %s went unnoticed", what)
		}
	}
}
