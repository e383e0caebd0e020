package file

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite/storage"
)

func describe(key string, info os.FileInfo) storage.Info {
	return storage.Info{Key: key, Size: info.Size(), Version: version(info), Time: info.ModTime()}
}

// version is what tells one content of a key from the next: see the package's
// comment.
func version(info os.FileInfo) storage.Version {
	return storage.Version(hex(uint64(info.ModTime().UnixNano())) + "-" + hex(uint64(info.Size())) + "-" + hex(inode(info)))
}

func hex(n uint64) string { return strconv.FormatUint(n, 16) }

// parseVersion returns the time of modification in a version.
func parseVersion(v storage.Version) (time.Time, bool) {
	first, _, ok := strings.Cut(string(v), "-")
	nanoseconds, err := strconv.ParseUint(first, 16, 64)
	return time.Unix(0, int64(nanoseconds)), ok && err == nil
}
