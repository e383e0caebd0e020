package main

// TokenCmd makes what a server lets people in by: nearlite token VERB.
type TokenCmd struct {
	Create TokenCreateCmd `cmd:"" help:"Make a token for somebody."`
	Key    TokenKeyCmd    `cmd:"" help:"Make the pair of keys that tokens are made and checked with."`
}
