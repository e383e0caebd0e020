package ltxfile

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/superfly/ltx"
	"pgregory.net/rapid"
)

type page struct {
	number uint32
	data   []byte
}

// encode writes a file with the encoder, which has to succeed.
func encode(t testing.TB, e *Encoder, h ltx.Header, pages []page) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := e.Begin(&out, h); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if err := e.Page(p.number, p.data); err != nil {
			t.Fatal(err)
		}
	}
	size, err := e.End()
	if err != nil || size != int64(out.Len()) {
		t.Fatal(size, out.Len(), err)
	}
	return out.Bytes()
}

// reference writes a file with package ltx.
func reference(t testing.TB, h ltx.Header, pages []page) []byte {
	t.Helper()
	var out bytes.Buffer
	e, err := ltx.NewEncoder(&out)
	if err != nil {
		t.Fatal(err)
	}
	h.Version = ltx.Version
	err = e.EncodeHeader(h)
	for _, p := range pages {
		if err == nil {
			err = e.EncodePage(ltx.PageHeader{Pgno: p.number}, p.data)
		}
	}
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decode(d *Decoder, err error) ([]page, error) {
	if err != nil {
		return nil, err
	}
	pages := []page{}
	for {
		number, data, err := d.Next()
		if err == io.EOF {
			return pages, nil
		} else if err != nil {
			return pages, err
		}
		pages = append(pages, page{number, bytes.Clone(data)})
	}
}

func same(a, b []page) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].number != b[i].number || !bytes.Equal(a[i].data, b[i].data) {
			return false
		}
	}
	return true
}

// sample makes pages that compress as a database's do.
func sample(seed uint64, pageSize, count int, step uint32) []page {
	r := rand.New(rand.NewPCG(seed, 1))
	pages := make([]page, count)
	number := uint32(0)
	for i := range pages {
		number += 1 + r.Uint32N(step)
		data := make([]byte, pageSize)
		for j := 0; j < len(data); j += 1 + r.IntN(8) {
			data[j] = byte(r.Uint32())
		}
		pages[i] = page{number, data}
	}
	return pages
}

func header(pageSize int, commit uint32, from ltx.TXID) ltx.Header {
	return ltx.Header{Flags: ltx.HeaderFlagNoChecksum, PageSize: uint32(pageSize), Commit: commit, MinTXID: from, MaxTXID: from + 1, Timestamp: 5, NodeID: 7}
}

// What one writes the other reads, and both write the same bytes.
func TestAgreesWithLTX(t *testing.T) {
	t.Parallel()
	e := NewEncoder()
	rapid.Check(t, func(r *rapid.T) {
		pageSize := 512 << rapid.IntRange(0, 7).Draw(r, "page size")
		count := rapid.IntRange(0, 300).Draw(r, "pages")
		h := header(pageSize, 10_000, 2)
		step := uint32(9)
		if count > 0 && rapid.Bool().Draw(r, "snapshot") {
			h.MinTXID, h.Commit, step = 1, uint32(count), 1
		}
		pages := sample(rapid.Uint64().Draw(r, "seed"), pageSize, count, step)
		ours, theirs := encode(t, e, h, pages), reference(t, h, pages)
		if !bytes.Equal(ours, theirs) {
			t.Fatal("the files differ")
		}
		for name, open := range map[string]func() (*Decoder, error){
			"bytes":  func() (*Decoder, error) { return NewDecoderBytes(ours) },
			"stream": func() (*Decoder, error) { return NewDecoder(iotestReader{bytes.NewReader(ours), 777}) },
		} {
			if got, err := decode(open()); err != nil || !same(got, pages) {
				t.Fatal(name, err)
			}
		}
	})
}

// iotestReader delivers little at a time.
type iotestReader struct {
	r io.Reader
	n int
}

func (r iotestReader) Read(p []byte) (int, error) { return r.r.Read(p[:min(len(p), r.n)]) }

func TestResume(t *testing.T) {
	t.Parallel()
	pages := sample(3, 4096, 50, 3)
	file := encode(t, NewEncoder(), header(4096, 1000, 2), pages)
	for stop := range pages {
		d, err := NewDecoderBytes(file)
		if err != nil {
			t.Fatal(err)
		}
		for range stop {
			if _, _, err := d.Next(); err != nil {
				t.Fatal(err)
			}
		}
		s := d.State()
		rest, err := decode(Resume(bytes.NewReader(file[s.Offset:]), s), nil)
		if err != nil || !same(rest, pages[stop:]) {
			t.Fatal(stop, err)
		}
	}
}

// Whichever bit is wrong, and wherever the file ends: it is an error.
func TestDamage(t *testing.T) {
	t.Parallel()
	pages := sample(4, 512, 7, 3)
	file := encode(t, NewEncoder(), header(512, 100, 2), pages)
	var format *FormatError
	for bit := range len(file) * 8 {
		damaged := bytes.Clone(file)
		damaged[bit/8] ^= 1 << (bit % 8)
		// LZ4 has more than one way to say the same.
		if got, err := decode(NewDecoderBytes(damaged)); !errors.As(err, &format) && (err != nil || !same(got, pages)) {
			t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
	}
	for size := range file {
		if _, err := decode(NewDecoder(bytes.NewReader(file[:size]))); !errors.As(err, &format) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
	if _, err := decode(NewDecoderBytes(append(file, 0))); !errors.As(err, &format) {
		t.Fatal(err)
	}
}

func TestEncoderRefuses(t *testing.T) {
	t.Parallel()
	lock := ltx.LockPgno(65536)
	for name, test := range map[string]struct {
		h     ltx.Header
		pages []uint32
		size  int
	}{
		"order":          {header(512, 9, 2), []uint32{2, 1}, 512},
		"twice":          {header(512, 9, 2), []uint32{2, 2}, 512},
		"size":           {header(512, 9, 2), []uint32{2}, 511},
		"beyond":         {header(512, 9, 2), []uint32{10}, 512},
		"zero":           {header(512, 9, 2), []uint32{0}, 512},
		"lock":           {header(65536, lock+5, 2), []uint32{lock}, 65536},
		"snapshot start": {header(512, 9, 1), []uint32{2}, 512},
		"snapshot gap":   {header(512, 9, 1), []uint32{1, 3}, 512},
		"snapshot end":   {header(512, 3, 1), []uint32{1, 2}, 512},
		"header":         {header(513, 3, 1), nil, 512},
	} {
		e := NewEncoder()
		err := e.Begin(io.Discard, test.h)
		for _, number := range test.pages {
			if err == nil {
				err = e.Page(number, make([]byte, test.size))
			}
		}
		if _, end := e.End(); end == nil || err == nil && name != "snapshot end" {
			t.Errorf("%s: %v, %v", name, err, end)
		}
		encode(t, e, header(512, 100, 2), sample(1, 512, 3, 3)) // and goes on well
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(encode(f, NewEncoder(), header(512, 1000, 2), sample(5, 512, 9, 4)))
	f.Add(encode(f, NewEncoder(), header(512, 9, 1), sample(6, 512, 9, 1)))
	f.Add(encode(f, NewEncoder(), header(4096, 9, 2), nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		pages, err := decode(NewDecoderBytes(file))
		again, err2 := decode(NewDecoder(iotestReader{bytes.NewReader(file), 100}))
		if (err == nil) != (err2 == nil) || !same(pages, again) {
			t.Fatal(err, err2)
		}
		if err == nil { // then package ltx thinks so, too
			if err := ltx.NewDecoder(bytes.NewReader(file)).Verify(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func Benchmark(b *testing.B) {
	for name, count := range map[string]int{"page": 1, "100 pages": 100, "10,000 pages": 10_000} {
		pages := sample(1, 4096, count, 3)
		h := header(4096, 1<<20, 2)
		b.Run("encode "+name, func(b *testing.B) {
			e := NewEncoder()
			b.SetBytes(int64(4096 * count))
			for b.Loop() {
				_ = e.Begin(io.Discard, h)
				for _, p := range pages {
					_ = e.Page(p.number, p.data)
				}
				_, _ = e.End()
			}
		})
		file := encode(b, NewEncoder(), h, pages)
		b.Run("decode "+name, func(b *testing.B) {
			b.SetBytes(int64(4096 * count))
			for b.Loop() {
				d, _ := NewDecoder(bytes.NewReader(file))
				for err := error(nil); err == nil; {
					_, _, err = d.Next()
				}
			}
		})
	}
}
