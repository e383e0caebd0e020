//go:build !linux || !(amd64 || arm64)

package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Other systems' files are read and written through package os, which costs them
// a little; a report from there says which system it was.

func readFile(name, buf []byte) (n int, err error) {
	file, err := os.Open(string(name[:len(name)-1]))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() > int64(len(buf)) {
		return 0, fmt.Errorf("it has %d bytes, more than any blob", info.Size())
	}
	return io.ReadFull(file, buf[:info.Size()])
}

func overwriteFile(name, content []byte, fsync bool) error {
	file, err := os.Create(string(name[:len(name)-1]))
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil && fsync {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// diskUsage adds up the sizes of files, without their padding.
func diskUsage(path string) (total int64, err error) {
	err = filepath.WalkDir(path, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// syncFileSystem does nothing: there is no call for it here.
func syncFileSystem(string) error { return nil }

func forget(bool, ...string) (how string, err error) {
	return "", errors.New("this system has no way to forget files: cold caches are measured on Linux")
}

func (s *blobSet) measureLimit() (BlobsLimit, error) { return BlobsLimit{}, nil }
