package s3

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// Options of a bucket. Bucket has to be set; the zero value is the default of all
// the others.
type Options struct {
	Bucket string
	// Prefix is what all keys begin with in the bucket, and a slash after it.
	Prefix string

	// Endpoint is the URL of the service; empty: AWS, in the region.
	Endpoint string
	// Region of the bucket; empty: the one the environment names (AWS_REGION), or
	// us-east-1 with an endpoint of one's own, most of which do not care.
	Region string
	// PathStyle puts the bucket's name into the path instead of the host's name.
	// Most endpoints but AWS want that; [ParseURL] sets it when there is one.
	PathStyle bool

	// AccessKey, SecretKey and SessionToken are used if the first is not empty.
	// Else the AWS SDK looks for credentials, in Profile if that is not empty.
	AccessKey, SecretKey, SessionToken string
	Profile                            string

	// ReadOnly refuses every write, and lets Open send no request.
	ReadOnly bool
	// NoProbe lets Open trust the endpoint to honour conditions. Where it does
	// not, two writers destroy each other's objects.
	NoProbe bool

	// Checksum that the service compares and keeps.
	Checksum Checksum
	// PartSize is how many bytes go in one request; larger objects are uploaded in
	// parts. Zero is 8 MiB; S3 takes no less than 5 MiB.
	PartSize int64
	// Uploads is how many parts of one object are on their way at a time, and in
	// memory. Zero is 4.
	Uploads int

	// TryTimeout is how long one try may take until the first byte of the answer,
	// and between two reads of a body; what is sent or received adds a second for
	// each 256 KiB. Zero is 15 seconds.
	TryTimeout time.Duration
	// RetryFor is how long a request is tried again. Zero is 30 seconds.
	RetryFor time.Duration
}

// Checksum is an algorithm for the bytes of an object, by S3's name for it.
type Checksum string

// The checksums that S3 knows and this package can send.
const (
	CRC64NVME Checksum = "crc64nvme" // the default
	CRC32C    Checksum = "crc32c"    // of the parts only, in an object that was uploaded in parts
	SHA256    Checksum = "sha256"    // of the parts only, likewise
	// NoChecksum is for endpoints that refuse the headers. The SHA-256 that is
	// signed with each request over http, or TLS over https, still protects the way.
	NoChecksum Checksum = "none"
)

const (
	// minPart is the least that S3 takes for a part but the last.
	minPart  = 5 << 20
	maxParts = 10_000
)

// withDefaults fills in what was left out, and says what cannot be.
func (o Options) withDefaults() (Options, error) {
	if o.Checksum == "" {
		o.Checksum = CRC64NVME
	}
	if o.PartSize == 0 {
		o.PartSize = 8 << 20
	}
	if o.Uploads == 0 {
		o.Uploads = 4
	}
	if o.TryTimeout == 0 {
		o.TryTimeout = 15 * time.Second
	}
	if o.RetryFor == 0 {
		o.RetryFor = 30 * time.Second
	}
	return o, o.check()
}

func (o Options) check() error {
	if o.Bucket == "" || strings.ContainsAny(o.Bucket, "/?#% ") {
		return fmt.Errorf("%q is not the name of a bucket: write s3://BUCKET/PREFIX", o.Bucket)
	}
	if o.Prefix != "" {
		if err := storage.CheckKey(o.Prefix); err != nil {
			return fmt.Errorf("the prefix: %w", err)
		}
	}
	if o.Endpoint != "" {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("the endpoint %q is not http://HOST:PORT or https://HOST:PORT", redact(o.Endpoint))
		}
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return fmt.Errorf("an access key and a secret key go together: one of them is missing")
	}
	switch o.Checksum {
	case CRC64NVME, CRC32C, SHA256, NoChecksum:
	default:
		return fmt.Errorf("%q is not a checksum: it is one of crc64nvme, crc32c, sha256 and none", o.Checksum)
	}
	switch {
	case o.PartSize < minPart || o.PartSize > 1<<30:
		return fmt.Errorf("a part of %d bytes: S3 takes 5 MiB and more, and this package 1 GiB at most", o.PartSize)
	case o.Uploads < 1 || o.Uploads > 1000:
		return fmt.Errorf("%d uploads at a time: between 1 and 1000 make sense", o.Uploads)
	case o.TryTimeout < 0 || o.RetryFor < 0:
		return fmt.Errorf("times cannot be negative")
	}
	return nil
}

// redact keeps a password that does not belong there out of a message.
func redact(endpoint string) string {
	if at := strings.LastIndexByte(endpoint, '@'); at >= 0 {
		return "…" + endpoint[at:]
	}
	return endpoint
}

// parseSize reads "16MiB", "16777216".
func parseSize(text string) (int64, error) {
	number, unit := text, int64(1)
	for suffix, factor := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = n, factor
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("%q is not a size like 16MiB", text)
	}
	return n * unit, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a time like 500ms or 30s", text)
	}
	return d, nil
}
