package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/nearlite/nearlite/server/token"
)

// TokenKeyCmd is nearlite token key.
type TokenKeyCmd struct {
	File string `arg:"" optional:"" name:"file" default:"token.key" help:"Where the private key goes (default: ${default}); the public one goes beside it, as .pub."`
}

// Help is the end of nearlite token key --help.
func (TokenKeyCmd) Help() string {
	return `The private key makes tokens: whoever has it can do everything. The public key
checks them: it is what the server is started with, and no secret. A server may have
several keys in one file, which it reads again when it changes.

  nearlite token key && nearlite serve --keys token.pub
  nearlite token key new.key && cat new.pub >> token.pub`
}

// Run writes both keys, or neither.
func (c *TokenKeyCmd) Run(env *Env) error {
	public := strings.TrimSuffix(c.File, ".key") + ".pub"
	privatePEM, publicPEM, err := token.GenerateKey()
	if err != nil {
		return err
	}
	if err := writeNew(c.File, privatePEM, 0o600); err != nil {
		return err
	}
	if err := writeNew(public, publicPEM, 0o644); err != nil {
		return errors.Join(err, os.Remove(c.File))
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: the private key, for “nearlite token create”: keep it to yourself\n%s: the public key, for “nearlite serve --keys”\n", c.File, public)
	return err
}

// writeNew makes a file, with nothing left if that fails.
func writeNew(name string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return advise(fmt.Errorf("make a key: %s is there already", name), "another name: a key that is in use is not replaced")
	}
	if err != nil {
		return locate(name, err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return locate(name, errors.Join(err, os.Remove(name)))
	}
	return nil
}
