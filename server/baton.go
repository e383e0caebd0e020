package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nearlite/nearlite/catalog"
)

// A baton is what a client of Hrana over HTTP holds between two requests on one
// stream. It says everything the server has to know to go on with a stream that
// has no transaction, so such a stream costs nothing to keep and never expires:
// the server may have closed it, or have been started anew, in the meantime.
//
// Sealed, it is base64 without padding of
//
//	offset  size
//	0       1     version, 1
//	1       16    boot: random, of the process that sealed it
//	17      8     count: big-endian, one more for each baton of that boot
//	25      n+16  AES-256-GCM of the fields, in the order they have here; the nonce
//	              is count, the key is derived from the key file and boot
//
// so no nonce is ever used twice under one key, whatever is restarted when.
type baton struct {
	stream   streamID
	seq      uint32 // of the request that may use it; one more each time
	caller   tokenID
	database catalog.ID
	busy     bool             // in a transaction: without its stream it is worth nothing
	stored   map[int32]string // the SQL of store_sql; none if busy
}

// A streamID names a stream over HTTP. It is never seen outside a sealed baton.
type streamID [16]byte

const (
	batonVersion = 1
	batonHead    = 1 + 16 + 8
	// batonMax bounds what is decoded: 50 stored texts of 5,000 bytes each and more.
	batonMax = 1 << 19
	// sealersMax is how many boots' keys are kept: those of batons given out before
	// the last restarts.
	sealersMax = 8
)

// What a client is told in sqld's words.
var (
	errBatonInvalid = protocolError("Received an invalid baton")
	errBatonReused  = protocolError("Received a baton that has already been used")
)

// A sealer turns batons into text that nobody else can make, and back.
type sealer struct {
	root  []byte // of the key file
	boot  [16]byte
	own   cipher.AEAD
	count atomic.Uint64

	mu     sync.Mutex // protects the following
	others map[[16]byte]cipher.AEAD
}

func newSealer(root []byte) (*sealer, error) {
	s := &sealer{root: root, others: map[[16]byte]cipher.AEAD{}}
	if _, err := rand.Read(s.boot[:]); err != nil {
		return nil, fmt.Errorf("make a key for batons: %w", err)
	}
	var err error
	s.own, err = s.derive(s.boot)
	return s, err
}

// derive returns the cipher of a boot.
func (s *sealer) derive(boot [16]byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.root, boot[:], "nearlite baton", 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key for batons: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive a key for batons: %w", err)
	}
	return cipher.NewGCM(block)
}

// of returns the cipher of a boot that a baton names. Anyone may name one, so
// few are kept.
func (s *sealer) of(boot [16]byte) (cipher.AEAD, error) {
	if boot == s.boot {
		return s.own, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if aead := s.others[boot]; aead != nil {
		return aead, nil
	}
	aead, err := s.derive(boot)
	if err != nil {
		return nil, err
	}
	if len(s.others) >= sealersMax {
		clear(s.others)
	}
	s.others[boot] = aead
	return aead, nil
}

// seal returns the baton's text.
func (s *sealer) seal(b *baton) string {
	size := 16 + 4 + len(b.caller) + len(b.database) + 1
	for _, sql := range b.stored {
		size += 8 + len(sql)
	}
	plain := make([]byte, 0, size)
	plain = append(plain, b.stream[:]...)
	plain = binary.BigEndian.AppendUint32(plain, b.seq)
	plain = append(plain, b.caller[:]...)
	plain = append(plain, b.database[:]...)
	busy := byte(0)
	if b.busy {
		busy = 1
	}
	plain = append(plain, busy)
	for id, sql := range b.stored {
		plain = binary.BigEndian.AppendUint32(plain, uint32(id))
		plain = binary.BigEndian.AppendUint32(plain, uint32(len(sql)))
		plain = append(plain, sql...)
	}
	out := make([]byte, batonHead, batonHead+len(plain)+16)
	out[0] = batonVersion
	copy(out[1:], s.boot[:])
	binary.BigEndian.PutUint64(out[17:], s.count.Add(1))
	return base64.RawURLEncoding.EncodeToString(s.own.Seal(out, nonceOf(out), plain, out[:1]))
}

// nonceOf takes the nonce from the head of a sealed baton.
func nonceOf(sealed []byte) []byte {
	nonce := make([]byte, 12)
	copy(nonce[4:], sealed[17:batonHead])
	return nonce
}

// open reads a baton's text. The error is errBatonInvalid unless the server
// itself has failed.
func (s *sealer) open(text string) (*baton, error) {
	if len(text) > base64.RawURLEncoding.EncodedLen(batonMax) || strings.ContainsAny(text, "\r\n") { // which base64 would skip
		return nil, errBatonInvalid
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < batonHead || sealed[0] != batonVersion {
		return nil, errBatonInvalid
	}
	aead, err := s.of([16]byte(sealed[1:17]))
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nonceOf(sealed), sealed[batonHead:], sealed[:1])
	if err != nil {
		return nil, errBatonInvalid
	}
	return parseBaton(plain)
}

// parseBaton reads what was sealed. We have sealed it, so an error means another
// version of this program.
func parseBaton(plain []byte) (*baton, error) {
	b := &baton{}
	const fixed = len(b.stream) + 4 + len(b.caller) + len(b.database) + 1
	if len(plain) < fixed {
		return nil, errBatonInvalid
	}
	rest := plain[copy(b.stream[:], plain):]
	b.seq, rest = binary.BigEndian.Uint32(rest), rest[4:]
	rest = rest[copy(b.caller[:], rest):]
	rest = rest[copy(b.database[:], rest):]
	b.busy, rest = rest[0] == 1, rest[1:]
	for len(rest) > 0 {
		if len(rest) < 8 {
			return nil, errBatonInvalid
		}
		id, n := int32(binary.BigEndian.Uint32(rest)), binary.BigEndian.Uint32(rest[4:])
		if rest = rest[8:]; uint64(n) > uint64(len(rest)) {
			return nil, errBatonInvalid
		}
		if b.stored == nil {
			b.stored = map[int32]string{}
		}
		b.stored[id], rest = string(rest[:n]), rest[n:]
	}
	return b, nil
}

// batonKey returns the key that outlives restarts, from a file in the data
// directory that nobody else may read; it is made when it is missing.
func batonKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, "baton.key")
	key, err := os.ReadFile(path)
	if err == nil && len(key) == 32 {
		return key, nil
	}
	if err == nil {
		return nil, fmt.Errorf("read %s: it has %d bytes and a key has 32: remove it, and clients between two requests of a stream will be refused once", path, len(key))
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the key for batons: %w", err)
	}
	key = make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key for batons: %w", err)
	}
	// Under another name first, and flushed: a key cut short by a crash would be
	// refused above.
	part := path + ".part"
	if err := errors.Join(os.WriteFile(part, key, 0o600), syncFile(part)); err != nil {
		return nil, fmt.Errorf("keep the key for batons: %w", err)
	}
	if err := errors.Join(os.Rename(part, path), syncFile(dir)); err != nil {
		return nil, fmt.Errorf("keep the key for batons: %w", err)
	}
	return key, nil
}

// syncFile flushes a file, or the names in a directory.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
