// Package s3 keeps objects in a bucket of S3, or of anything that speaks its
// protocol and honours If-None-Match and If-Match on writes: AWS, Cloudflare R2,
// MinIO, versitygw and others. Open finds out whether the endpoint does, and
// refuses one that does not: two writers would overwrite each other there.
//
//	s3://bucket/prefix?region=eu-central-1
//	s3://bucket/prefix?endpoint=http://127.0.0.1:7070&region=us-east-1
//
// [ParseURL] lists the parameters. Credentials are found where the AWS SDK looks
// for them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, the
// role of the machine. They are never a part of a URL, which ends up in logs.
//
// # How a write has one winner
//
// Create is a PUT with If-None-Match: *, Replace one with If-Match and the ETag
// that was read; an object of more than PartSize is uploaded in parts, and the
// condition stands at their completion. Which of several writers wins is for the
// service to decide, at one place, whatever their clocks say.
//
// # How an answer is found that was lost
//
// A PUT whose answer did not arrive may have been carried out, and the next try is
// then refused because of the first. So every Create and Replace writes a random
// number of its own into the object's metadata (nearlite-put), and a refusal after
// a lost answer is looked into: an object with this number is ours, and the call
// has succeeded. If even that cannot be learnt, the outcome is ErrUnknown. What
// S3 answers with 4xx, or SlowDown, and what never left this machine, is certainly
// not stored; a 500, a plain 503, a time-out or a broken connection may be.
//
// Tries are repeated for RetryFor, with growing pauses of random length, or after
// what Retry-After says. Each has TryTimeout, and more for its bytes.
//
// # How bytes are checked
//
// Each PUT carries a checksum that the service compares and keeps: CRC-64/NVME,
// the one checksum that covers a whole object on AWS and R2 however it was
// uploaded. Get compares it again at the last byte. The object's SHA-256 is in its
// metadata (nearlite-sha256) if it went in one PUT, so that [storage.Holds] needs
// one request. What is read after a connection broke is read with If-Match, so
// that the halves of two objects are never put together.
//
// # What it costs
//
// Create, Replace and a page of 1,000 keys of List are one request of the dear
// kind, Get and Stat one of the cheap kind, Delete is free. An upload in parts is
// one dear request for each part and two more, and a cheap one before. Open of a
// store that is written to sends three that cost what a PUT does, and are refused
// when all is well.
// Uploads of a process that was killed stay, and are paid for, until a lifecycle
// rule removes them: set AbortIncompleteMultipartUpload to a day.
//
// # Sources
//
// The conditions: Amazon S3 User Guide, "Conditional writes"; Cloudflare R2,
// "Conditional operations". 409 ConditionalRequestConflict means that a concurrent
// request was being decided, and is tried again. That If-Match on a key without an
// object must be refused is in the probe because MinIO did not until 2025 (its
// issue 21526). Everything else was tried against versitygw, which the tests of
// this package start; NEARLITE_TEST_S3=s3://… runs the suite on another endpoint.
package s3
