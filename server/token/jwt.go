// Package token has the tokens by which clients of a server say who they are: JWTs
// signed with Ed25519, as sqld reads them and as Turso and others mint them.
//
// A token says which databases it is for, whether it may write, until when, and,
// which is our own, how much its bearer may ask for; see [Claims].
package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// sizeMax bounds what is looked at; a token has some 200 bytes.
const sizeMax = 16 << 10

// header is what every token begins with that we mint.
var header = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"JWT"}`))

// Mint signs claims.
func Mint(key ed25519.PrivateKey, claims *Claims) (string, error) {
	body, err := claims.encode()
	if err != nil {
		return "", err
	}
	signed := header + "." + base64.RawURLEncoding.EncodeToString(body)
	signature := ed25519.Sign(key, []byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// verify returns the claims of a token that one of the keys has signed, whether or
// not it is their time.
func verify(keys []ed25519.PublicKey, token string) (*Claims, error) {
	if len(token) > sizeMax {
		return nil, invalid("it is longer than any token")
	}
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 {
		return nil, invalid("it is no JWT")
	}
	signed := token[:dot]
	head, body, ok := strings.Cut(signed, ".")
	if !ok || strings.Contains(body, ".") {
		return nil, invalid("it is no JWT")
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(token[dot+1:])
	if err != nil || len(signature) != ed25519.SignatureSize {
		return nil, invalid("its signature is none of Ed25519")
	}
	if err := checkHeader(head); err != nil {
		return nil, err
	}
	if !anySigned(keys, []byte(signed), signature) {
		return nil, invalid("no key has signed it")
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, invalid("its claims are not base64")
	}
	claims, err := decodeClaims(data)
	if err != nil {
		return nil, invalid(err.Error())
	}
	return claims, nil
}

// anySigned asks every key, so that the time it takes does not tell which one signed.
func anySigned(keys []ed25519.PublicKey, message, signature []byte) bool {
	signed := false
	for _, key := range keys {
		if ed25519.Verify(key, message, signature) {
			signed = true
		}
	}
	return signed
}

func checkHeader(text string) error {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return invalid("its header is not base64")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return invalid("its header is not JSON")
	}
	var algorithm string
	if err := json.Unmarshal(fields["alg"], &algorithm); err != nil || algorithm != "EdDSA" {
		return invalid("its algorithm is not EdDSA")
	}
	if _, critical := fields["crit"]; critical {
		return invalid("its header has extensions that must be understood")
	}
	return nil
}

// Bearer takes the token out of the value of an Authorization header.
func Bearer(authorization string) (string, error) {
	if authorization == "" {
		return "", ErrMissing
	}
	scheme, token, ok := strings.Cut(authorization, " ")
	if !ok {
		return "", ErrMalformed
	}
	if !strings.EqualFold(scheme, "bearer") {
		return "", ErrScheme
	}
	if token = strings.TrimSpace(token); token == "" {
		return "", ErrMissing
	}
	return token, nil
}
