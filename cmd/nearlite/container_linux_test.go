package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestContainer does what the Dockerfile says without a container engine: the
// build's commands in a copy of the repository, the files of the image into a
// directory, and that as a read-only root for a user that is nobody.
func TestContainer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program once more")
	}
	if os.Getuid() != 0 {
		t.Skip("changing the root and mounting takes root")
	}
	for _, program := range []string{"make", "git", "unshare", "mount", "chroot"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	image := buildImage(t, filepath.Join("..", "..", "Dockerfile"))

	// As it comes, its port would be open to others.
	out, err := image.run(t.Context(), t.TempDir(), nil).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--keys") {
		t.Errorf("without keys: %v\n%s", err, out)
	}

	volume := t.TempDir()
	for round := range 2 {
		server := image.start(t, volume, "--listen", "127.0.0.1:0")
		if round == 0 {
			server.query("CREATE TABLE t(x)", "INSERT INTO t VALUES (42)")
		}
		if got := server.query("SELECT x FROM t"); !strings.Contains(got, "[[42]]") {
			t.Errorf("round %d: %s", round, got)
		}
		server.stop()
	}
}

// image is what a Dockerfile describes.
type image struct {
	root       string
	env        []string
	user       string
	volume     string
	entrypoint []string
}

// buildImage obeys a Dockerfile of two stages: WORKDIR, COPY, RUN, USER, ENV,
// VOLUME and ENTRYPOINT, as far as this one needs them.
func buildImage(t *testing.T, file string) image {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	workdir, source := "", t.TempDir()
	img := image{root: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(img.root, 0o755))
	stage := 0
	for _, line := range strings.Split(string(text), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || word == "#" || word == "EXPOSE":
		case word == "FROM":
			stage++
		case word == "WORKDIR":
			workdir = rest
		case word == "COPY" && stage == 1:
			copyTracked(t, filepath.Dir(file), source, strings.Fields(rest))
		case word == "RUN":
			cmd := exec.Command("sh", "-c", rest)
			cmd.Dir = source
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
		case word == "COPY":
			args := strings.Fields(rest)
			from, to := args[len(args)-2], filepath.Join(img.root, args[len(args)-1])
			if inside, ok := strings.CutPrefix(from, workdir+"/"); ok {
				from = filepath.Join(source, inside)
			}
			must(os.MkdirAll(filepath.Dir(to), 0o755))
			if out, err := exec.Command("cp", "-rL", from, to).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
		case word == "USER":
			img.user = rest
		case word == "ENV":
			img.env = strings.Fields(rest)
		case word == "VOLUME":
			img.volume = rest
		case word == "ENTRYPOINT":
			must(json.Unmarshal([]byte(rest), &img.entrypoint))
		default:
			t.Fatalf("%s: a line that this test does not know", line)
		}
	}
	return img
}

// copyTracked copies the files git would, of those a COPY of the first stage names.
func copyTracked(t *testing.T, repository, to string, args []string) {
	t.Helper()
	what := args[:len(args)-1]
	cmd := exec.Command("sh", "-c", `git ls-files -co --exclude-standard -z -- "$@" | xargs -0 cp --parents -t "$TO"`, "sh")
	cmd.Args = append(cmd.Args, what...)
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "TO="+to)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy %v: %v\n%s", what, err, out)
	}
}

// run returns the command that is the container, with a directory as its volume.
func (i image) run(ctx context.Context, volume string, args []string) *exec.Cmd {
	const enter = `mount --bind "$ROOT" "$ROOT" && mount -o remount,bind,ro "$ROOT" &&
		chown "$AS" "$DATA" && mount --bind "$DATA" "$ROOT$VOLUME" && exec env -i $IMAGE_ENV "$(command -v chroot)" --userspec="$AS" "$ROOT" "$@"`
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", enter, "sh")
	cmd.Args = append(append(cmd.Args, i.entrypoint...), args...)
	cmd.Env = append(os.Environ(), "ROOT="+i.root, "AS="+i.user, "VOLUME="+i.volume, "DATA="+volume, "IMAGE_ENV="+strings.Join(i.env, " "))
	return cmd
}

// contained is a server that runs in one.
type contained struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	said *bytes.Buffer
	done chan struct{} // closed when its output has ended
}

func (i image) start(t *testing.T, volume string, args ...string) *contained {
	t.Helper()
	c := &contained{t: t, cmd: i.run(context.Background(), volume, args), said: &bytes.Buffer{}, done: make(chan struct{})}
	out, in := io.Pipe()
	c.cmd.Stdout, c.cmd.Stderr = in, in
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.cmd.Process.Kill() })
	found := make(chan string, 1)
	go func() {
		defer close(c.done)
		address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
		buf := make([]byte, 4096)
		for {
			n, err := out.Read(buf)
			c.said.Write(buf[:n])
			if at := address.Find(c.said.Bytes()); at != nil {
				select {
				case found <- string(at):
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case c.url = <-found:
	case <-time.After(30 * time.Second):
		c.cmd.Process.Kill()
		t.Fatal("it does not say where it listens")
	}
	return c
}

// query runs statements as one transaction and returns the answer.
func (c *contained) query(statements ...string) string {
	c.t.Helper()
	var body struct {
		Statements []map[string]string `json:"statements"`
	}
	for _, sql := range statements {
		body.Statements = append(body.Statements, map[string]string{"sql": sql})
	}
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.Post(c.url+"/v1/query", "application/json", bytes.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatal(errors.Join(err, fmt.Errorf("%s: %s", resp.Status, answer)))
	}
	return string(answer)
}

// stop ends it as docker stop does.
func (c *contained) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("after SIGTERM: %v", err)
	}
}
