// Package ltxfile writes and reads LTX files, the format of Litestream: a header,
// pages in ascending order, each an LZ4 block, an index of them and a checksum of
// everything.
//
//	offset  bytes
//	0       100   header (ltx.Header)
//	100     …     for each page: number (4), flags (2, 1: a size follows), size (4),
//	              so many bytes of LZ4; then six zero bytes
//	…       …     the index: for each page three varints, number, offset of what is
//	              described above, bytes of it; then a zero, then its own size (8)
//	end-16  16    a checksum of the database, zero here, and that of the file
//
// Numbers are big-endian. The file's checksum is CRC-64/ISO over all of that, with
// the pages as they were before they were compressed.
//
// It does what package ltx does, with a fraction of its cost: no allocation for a
// page, a quicker checksum, several pages compressed at a time. And it trusts
// nothing: whatever the bytes, memory stays bounded, and a page that a Decoder
// returned is right if it comes to its end.
package ltxfile
