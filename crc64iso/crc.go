// Package crc64iso computes CRC-64/ISO, the checksum of LTX files and of the pages
// in them, several times as fast as hash/crc64 does.
//
// The polynomial is x⁶⁴ + x⁴ + x³ + x + 1, which has so few terms that no table is
// needed: to multiply a remainder by x⁶⁴ is to multiply it by x⁴ + x³ + x + 1, that
// is (1+x)(1+x³), a few shifts. Squaring doubles the exponents, so that x²⁵⁶ is
// (1+x⁴)(1+x¹²), and four words can be on their way at a time:
//
//	lane i of block j:  Lᵢ = Lᵢ·x²⁵⁶ + word 4j+i
//	at the end:         ((L₀·x⁶⁴ + L₁)·x⁶⁴ + L₂)·x⁶⁴ + L₃, times x⁶⁴
//
// Bits are reflected: bit 63 is x⁰, and to multiply by x is to shift right. What is
// shifted out has to be multiplied by x⁶⁴ once more.
package crc64iso

import (
	"encoding/binary"

	"github.com/superfly/ltx"
)

// Update adds bytes to a checksum, which is zero for no bytes.
func Update(crc uint64, p []byte) uint64 {
	s := ^crc
	if len(p) >= 64 {
		s, p = blocks(s, p)
	}
	for ; len(p) >= 8; p = p[8:] {
		s = times64(s ^ binary.LittleEndian.Uint64(p))
	}
	for _, b := range p {
		s = times8(s ^ uint64(b))
	}
	return ^s
}

// Page is the checksum of a page as LTX has it, [ltx.ChecksumPage].
func Page(number uint32, data []byte) uint64 {
	s := ^uint64(0)
	for shift := 24; shift >= 0; shift -= 8 {
		s = times8(s ^ uint64(byte(number>>shift)))
	}
	return Update(^s, data) | uint64(ltx.ChecksumFlag)
}

// blocks takes as many blocks of four words as there are.
func blocks(s uint64, p []byte) (uint64, []byte) {
	a := s ^ binary.LittleEndian.Uint64(p)
	b := binary.LittleEndian.Uint64(p[8:])
	c := binary.LittleEndian.Uint64(p[16:])
	d := binary.LittleEndian.Uint64(p[24:])
	for p = p[32:]; len(p) >= 32; p = p[32:] {
		a = times256(a) ^ binary.LittleEndian.Uint64(p)
		b = times256(b) ^ binary.LittleEndian.Uint64(p[8:])
		c = times256(c) ^ binary.LittleEndian.Uint64(p[16:])
		d = times256(d) ^ binary.LittleEndian.Uint64(p[24:])
	}
	return times64(times64(times64(times64(a)^b)^c) ^ d), p
}

func times256(v uint64) uint64 {
	t := v ^ v>>4
	out := v << 60
	out ^= out>>12 ^ t<<52
	return t ^ t>>12 ^ reduce(out)
}

func times64(v uint64) uint64 {
	t := v ^ v>>1
	out := v << 63
	out ^= out>>3 ^ t<<61
	return t ^ t>>3 ^ reduce(out)
}

func times8(v uint64) uint64 { return v>>8 ^ reduce(v<<56) }

// reduce multiplies what was shifted out, a polynomial of few terms, by x⁶⁴.
func reduce(out uint64) uint64 {
	out ^= out >> 1
	return out ^ out>>3
}
