// Package pagemap knows, for every page of a database, the change that last
// touched it, and so what a follower lacks, whatever happened in between: no log
// is retained for that, and the cost is proportional to what really changed.
//
// Every page that a commit writes gets the next change number; the number of its
// last page is the commit's. See [Map] for how the numbers outlive a crash.
package pagemap
