package s3

import (
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The tables are made once; the first is the NVMe polynomial, reflected.
var (
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// checks are the fields of a request or an answer that hold checksums, in base64.
type checks struct{ crc64nvme, crc32c, sha256 *string }

// newHash returns the hash of the store's checksum, or nil.
func (s *Store) newHash() hash.Hash {
	switch s.opts.Checksum {
	case CRC64NVME:
		return crc64.New(nvme)
	case CRC32C:
		return crc32.New(castagnoli)
	case SHA256:
		return sha256.New()
	}
	return nil
}

// newChecks is the store's checksum of some bytes.
func (s *Store) newChecks(b []byte) checks {
	h := s.newHash()
	if h == nil {
		return checks{}
	}
	h.Write(b)
	return s.checksOf(h)
}

// checksOf puts a checksum into its field.
func (s *Store) checksOf(h hash.Hash) (c checks) {
	sum := base64.StdEncoding.EncodeToString(h.Sum(nil))
	switch s.opts.Checksum {
	case CRC64NVME:
		c.crc64nvme = &sum
	case CRC32C:
		c.crc32c = &sum
	case SHA256:
		c.sha256 = &sum
	}
	return c
}

// algorithm is the name in a request that begins an upload in parts.
func (s *Store) algorithm() types.ChecksumAlgorithm {
	switch s.opts.Checksum {
	case CRC64NVME:
		return types.ChecksumAlgorithmCrc64nvme
	case CRC32C:
		return types.ChecksumAlgorithmCrc32c
	case SHA256:
		return types.ChecksumAlgorithmSha256
	}
	return ""
}

// whole is the type of the checksum of an object that was uploaded in parts: that
// of all its bytes if the algorithm can add parts up, else of the parts' checksums.
func (s *Store) whole() types.ChecksumType {
	switch s.opts.Checksum {
	case CRC64NVME:
		return types.ChecksumTypeFullObject
	case CRC32C, SHA256:
		return types.ChecksumTypeComposite
	}
	return ""
}

// verifier returns a hash for all bytes of an object, and what it has to come to;
// or nil if the answer names no checksum of all bytes.
func (c checks) verifier(sum []byte) (hash.Hash, []byte) {
	for _, known := range []struct {
		want *string
		hash func() hash.Hash
	}{
		{c.crc32c, func() hash.Hash { return crc32.New(castagnoli) }},
		{c.crc64nvme, func() hash.Hash { return crc64.New(nvme) }},
		{c.sha256, sha256.New},
	} {
		if known.want == nil || strings.Contains(*known.want, "-") { // "-3": of three parts
			continue
		}
		if want, err := base64.StdEncoding.DecodeString(*known.want); err == nil {
			return known.hash(), want
		}
	}
	if sum != nil {
		return sha256.New(), sum
	}
	return nil, nil
}
