package storage

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxKey is how many bytes a key may have. S3 takes 1,024, of which the
	// store's own prefix needs some.
	MaxKey = 512
	// MaxElement is how many bytes may lie between two slashes of a key: as many
	// as a file's name may have.
	MaxElement = 255
	// Reserved is the one name that no element of a key may have: the directory
	// in which package file keeps what is not finished.
	Reserved = ".nearlite"
)

// CheckKey says why key is not one; the error is a [*KeyError]. A key is UTF-8,
// elements separated by slashes, none of them empty, ".", ".." or [Reserved],
// none longer than [MaxElement], all together not longer than [MaxKey]. Control
// characters, backslashes and what XML cannot carry are not allowed; every other
// character is, and means nothing.
func CheckKey(key string) error {
	if key == "" {
		return &KeyError{Key: key, Reason: "it is empty"}
	}
	if reason := checkText(key); reason != "" {
		return &KeyError{Key: key, Reason: reason}
	}
	for element := range strings.SplitSeq(key, "/") {
		if reason := checkElement(element); reason != "" {
			return &KeyError{Key: key, Reason: reason}
		}
	}
	return nil
}

// CheckPrefix says why prefix does not begin any key. It may be empty, and may
// end with a slash or anywhere inside an element.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if reason := checkText(prefix); reason != "" {
		return &KeyError{Key: prefix, Reason: reason}
	}
	parent, last := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		parent, last = prefix[:i], prefix[i+1:]
		if err := CheckKey(parent); err != nil {
			return &KeyError{Key: prefix, Reason: err.(*KeyError).Reason}
		}
	}
	if len(last) > MaxElement {
		return &KeyError{Key: prefix, Reason: tooLong(last)}
	}
	return nil
}

// checkText looks at the characters, wherever they stand.
func checkText(key string) string {
	if len(key) > MaxKey {
		return "it has " + strconv.Itoa(len(key)) + " bytes, more than " + strconv.Itoa(MaxKey)
	}
	if !utf8.ValidString(key) {
		return "it is not UTF-8"
	}
	for _, r := range key {
		switch {
		case r == '\\':
			return "it contains a backslash"
		case unicode.IsControl(r) || r == '\ufffe' || r == '\uffff':
			return "it contains the control character " + strconv.QuoteRuneToASCII(r)
		}
	}
	return ""
}

func checkElement(element string) string {
	switch {
	case element == "":
		return "it begins or ends with a slash, or has two in a row"
	case element == "." || element == ".." || element == Reserved:
		return "one of its elements is " + strconv.Quote(element)
	case len(element) > MaxElement:
		return tooLong(element)
	}
	return ""
}

func tooLong(element string) string {
	return "one of its elements has " + strconv.Itoa(len(element)) + " bytes, more than " + strconv.Itoa(MaxElement)
}
