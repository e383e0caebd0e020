// Package goclient runs libSQL's client for Go against the built server. It is a
// module of its own, so that the client is no dependency of Nearlite.
package goclient
