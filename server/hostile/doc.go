// Package hostile attacks the server. It has tests only: each starts a server in a
// process of its own, lets a client that means well work on it, attacks it from
// this process, and then looks at what the attack has cost: the other client's
// latency, the server's memory, and what is left in it when the attack is over.
//
// NEARLITE_HOSTILE is a factor for the size of every attack; 1 is the default and
// takes about a minute. Bounds on time grow with what other processes have of the
// processors meanwhile.
package hostile
