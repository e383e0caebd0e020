package hrana

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// check decodes data; what it accepts, it has to write in a form that it reads
// and writes again the same.
func check[T any](t *testing.T, data []byte, decode func([]byte) (*T, error), encode func([]byte, *T) []byte) {
	m, err := decode(data)
	if err != nil {
		return
	}
	first := encode(nil, m)
	again, err := decode(first)
	if err != nil {
		t.Fatalf("%v in what was written: %q", err, first)
	}
	if second := encode(nil, again); !bytes.Equal(first, second) {
		t.Fatalf("first  %q\nsecond %q", first, second)
	}
}

// uncut removes the delimiter.
func uncut[T any](e Encoding, encode func([]byte, *T) []byte) func([]byte, *T) []byte {
	return func(dst []byte, m *T) []byte {
		_, item, err := e.SplitCursor(encode(dst, m), true)
		if err != nil {
			panic(err)
		}
		return item
	}
}

func seed(f *testing.F, e Encoding) {
	for i := range 20 {
		f.Add(rapid.Custom(func(t *rapid.T) []byte { return e.AppendPipelineRequest(nil, genPipelineRequest(t)) }).Example(i))
		f.Add(rapid.Custom(func(t *rapid.T) []byte { return e.AppendPipelineResponse(nil, genPipelineResponse(t, e)) }).Example(i))
		f.Add(rapid.Custom(func(t *rapid.T) []byte { return e.AppendClientMsg(nil, genClientMsg(t)) }).Example(i))
		f.Add(rapid.Custom(func(t *rapid.T) []byte { return e.AppendServerMsg(nil, genServerMsg(t, e)) }).Example(i))
	}
	f.Add([]byte(executeRequest))
}

func fuzz(f *testing.F, e Encoding) {
	seed(f, e)
	f.Fuzz(func(t *testing.T, data []byte) {
		check(t, data, e.DecodePipelineRequest, e.AppendPipelineRequest)
		check(t, data, e.DecodePipelineResponse, e.AppendPipelineResponse)
		check(t, data, e.DecodeCursorRequest, e.AppendCursorRequest)
		check(t, data, e.DecodeCursorResponse, uncut(e, e.AppendCursorResponse))
		check(t, data, e.DecodeCursorEntry, uncut(e, e.AppendCursorEntry))
		check(t, data, e.DecodeClientMsg, e.AppendClientMsg)
		check(t, data, e.DecodeServerMsg, e.AppendServerMsg)
		check(t, data, e.DecodeError, e.AppendError)
	})
}

// FuzzJSON gives any bytes to every decoder of JSON.
func FuzzJSON(f *testing.F) { fuzz(f, JSON) }

// FuzzProtobuf gives any bytes to every decoder of protobuf.
func FuzzProtobuf(f *testing.F) { fuzz(f, Protobuf) }

// FuzzTranscode wants a request to survive the way through the other encoding.
func FuzzTranscode(f *testing.F) {
	seed(f, JSON)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := JSON.DecodePipelineRequest(data)
		if err != nil {
			return
		}
		first := JSON.AppendPipelineRequest(nil, m)
		other, err := Protobuf.DecodePipelineRequest(Protobuf.AppendPipelineRequest(nil, m))
		if err != nil {
			t.Fatalf("%v after %q", err, first)
		}
		if second := JSON.AppendPipelineRequest(nil, other); !bytes.Equal(first, second) {
			t.Fatalf("first  %q\nsecond %q", first, second)
		}
	})
}

// TestDecodedSize decodes what grows most, and holds the doc comment of Encoding against it.
func TestDecodedSize(t *testing.T) {
	const size = 1 << 20
	list := func(before, element, after string) []byte {
		return []byte(before + strings.Repeat(element+",", size/len(element)) + element + after)
	}
	tests := map[string]struct {
		e    Encoding
		body []byte
	}{
		"requests": {JSON, list(`{"requests":[`, `{"type":"close"}`, `]}`)},
		"values":   {JSON, list(`{"requests":[{"type":"execute","stmt":{"args":[`, `{"type":"null"}`, `]}}]}`)},
		"steps":    {JSON, list(`{"requests":[{"type":"batch","batch":{"steps":[`, `{"stmt":{}}`, `]}}]}`)},
		"conditions": {JSON, list(`{"requests":[{"type":"batch","batch":{"steps":[{"stmt":{},"condition":{"type":"and","conds":[`,
			`{"type":"and","conds":[]}`, `]}}]}}]}`)},
		"protobuf requests": {Protobuf, bytes.Repeat(field(2, field(1)...), size/4)},
		"protobuf values":   {Protobuf, field(2, field(2, field(1, bytes.Repeat(field(3, field(1)...), size/4)...)...)...)},
		"protobuf steps":    {Protobuf, field(2, field(3, field(1, bytes.Repeat(field(1, field(2)...), size/4)...)...)...)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := heap()
			m, err := test.e.DecodePipelineRequest(test.body)
			if err != nil {
				t.Fatal(err)
			}
			times := (heap() - before) / float64(len(test.body))
			runtime.KeepAlive(m)
			t.Logf("%.1f times its bytes", times)
			if times > 35 {
				t.Errorf("%.1f times its bytes", times)
			}
		})
	}
}

func heap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
