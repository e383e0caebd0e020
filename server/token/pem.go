package token

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// ParseKeys reads public keys in either form that sqld takes: blocks of PEM one after
// the other (SPKI, "BEGIN PUBLIC KEY"), or a line for each key with its 32 bytes as
// URL-safe base64. In the latter, empty lines and those that begin with # do not count.
func ParseKeys(data []byte) ([]ed25519.PublicKey, error) {
	data = bytes.TrimSpace(data)
	var keys []ed25519.PublicKey
	var err error
	if bytes.HasPrefix(data, []byte("-----BEGIN")) {
		keys, err = parsePEM(data)
	} else {
		keys, err = parseLines(string(data))
	}
	if err == nil && len(keys) == 0 {
		err = errors.New("there is no key in it: “nearlite token key” makes a pair")
	}
	return keys, err
}

func parsePEM(data []byte) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			if len(bytes.TrimSpace(data)) > 0 {
				return nil, fmt.Errorf("after key %d comes something that is not PEM", len(keys))
			}
			return keys, nil
		}
		data = rest
		switch block.Type {
		case "PUBLIC KEY":
		case "PRIVATE KEY":
			return nil, errors.New("it holds a private key, which is for minting tokens; the server wants the public one")
		default:
			return nil, fmt.Errorf("key %d is a %s in PEM, not a PUBLIC KEY", len(keys)+1, block.Type)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("key %d is not one of Ed25519", len(keys)+1)
		}
		keys = append(keys, key)
	}
}

func parseLines(text string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(line, "="))
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("line %d is neither PEM nor 32 bytes of URL-safe base64", number)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// ParsePrivateKey reads a private key for [Mint]: PKCS#8 in PEM, as “openssl genpkey -algorithm
// ed25519” and “nearlite token key” make it.
func ParsePrivateKey(data []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it is not PEM")
	case block.Type == "PUBLIC KEY":
		return nil, errors.New("it holds a public key, which is for the server; a token is minted with the private one")
	case block.Type != "PRIVATE KEY":
		return nil, fmt.Errorf("it is a %s in PEM, not a PRIVATE KEY", block.Type)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("its private key is not one of Ed25519")
	}
	return key, nil
}

// GenerateKey returns a new pair in PEM: the private key, which mints tokens, and
// the public one, which verifies them.
func GenerateKey() (private, public []byte, err error) {
	publicKey, privateKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(privateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(publicKey)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	private = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	public = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	return private, public, nil
}
