//go:build linux

// Powercut proves what [nearlite.Durability] promises about a power cut: under a
// real kernel, a real ext4 and a real block device, of which the power is cut
// while several callers commit.
//
//	make powercut
//	make powercut POWERCUT_FLAGS="-rounds 200 -seed 7"
//
// The kernel is Debian's User-Mode Linux, an ordinary process; nobody needs to be
// root, except to install the packages. The program starts it with itself as the
// first process of the guest. The guest's root is the host's, read only; all that
// it writes is in its own memory.
//
// # A round
//
//  1. ext4 is mounted from a device that can lose its power.
//  2. A process of its own opens a database and commits with 16 callers. The
//     transactions of a caller are numbered; each adds a row and counts it in a
//     second table. When one is acknowledged, its number is appended to a file on
//     another disk, which keeps its power.
//  3. At a random moment, which may be while the database is being made, the
//     device is suspended. What was acknowledged until now is read, and the device
//     goes on without power: every write reports success and changes nothing.
//  4. The process is killed, the file system unmounted, and what the disk has kept
//     is mounted again. ext4 replays its journal, the engine its WAL.
//  5. The database is judged: integrity_check; transactions whole, with the
//     contents they had; those that are there are the first ones in the order of
//     commits. With Full all that were acknowledged are there. e2fsck finds
//     nothing.
//
// The next round goes on with that database, or a new one. The moments at which
// ext4 and the kernel write back by themselves are random, too.
//
// # Two disks
//
// “flakey” (dm-flakey, drop_writes) keeps every write that it has completed: a disk
// without a cache. It shows that the engine waits for its fsync, and that all it
// needs is written by then.
//
// “cache” (dm-log-writes) keeps what was flushed, or written with FUA; of all the
// rest, sector by sector, a random part: a disk with a volatile cache that takes
// its writes in any order. It shows that nothing rests on the order of writes
// between two flushes. Only ext4's superblock is never torn: without it there is
// no mount.
//
// # Controls
//
// The rig proves something only if it can see a loss. So it is also run with
// engines and file systems that do not keep their word, and fails when it finds
// nothing missing there: “fsync-ignored” is the same program with Full under
// libeatmydata, where fsync does nothing; “no-barriers” is ext4 that never flushes
// the cache of the disk. Normal is one more: it has to lose something.
//
// A round that failed is printed with its seed and its settings, and what the disk
// had kept is copied to the directory of the flag -evidence. The seed repeats the
// settings and moments, not what the kernel's scheduler made of them.
package main
