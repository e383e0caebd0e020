package hrana

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// field appends a message in a field.
func field(number protowire.Number, message ...byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), message)
}

// TestProtobufBytes holds the field numbers of Hrana 3's .proto files against what is written.
func TestProtobufBytes(t *testing.T) {
	t.Parallel()
	request := &PipelineRequest{Baton: ptr("b"), Requests: []Request{{Kind: Execute, Stmt: &Stmt{
		SQL: ptr("S"), SQLID: ptr(int32(-1)), WantRows: ptr(false),
		Args:      []Value{{}, integer(-1), {Kind: Float, Float: 1}, text(""), {Kind: Blob, Blob: []byte{7}}},
		NamedArgs: []NamedArg{{"n", Value{}}},
	}}}}
	stmt := bytes.Join([][]byte{
		field(1, 'S'),
		{2 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		field(3, 1<<3|2, 0), field(3, 2<<3, 1), field(3, 3<<3|1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f), field(3, 4<<3|2, 0), field(3, 5<<3|2, 1, 7),
		field(4, append(field(1, 'n'), field(2, 1<<3|2, 0)...)...),
		{5 << 3, 0},
	}, nil)
	want := append(field(1, 'b'), field(2, field(2, field(1, stmt...)...)...)...)
	if got := Protobuf.AppendPipelineRequest(nil, request); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}

	msg := &ClientMsg{RequestID: 5, Request: &Request{Kind: OpenCursor, StreamID: 1, CursorID: 2, Batch: &Batch{}}}
	if got, want := Protobuf.AppendClientMsg(nil, msg), field(2, append([]byte{1 << 3, 5}, field(6, 1<<3, 1, 2<<3, 2, 3<<3|2, 0)...)...); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}

	entry := &CursorEntry{Kind: StepEnd, AffectedRowCount: 3, LastInsertRowID: ptr(int64(-2))}
	if got, want := Protobuf.AppendCursorEntry(nil, entry), []byte{6, 2<<3 | 2, 4, 1 << 3, 3, 2 << 3, 3}; !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// TestProtobufLengths crosses the lengths at which a message's own length takes another byte.
func TestProtobufLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 1<<14 - 12, 1<<14 - 5, 1 << 14, 1 << 21} {
		want := &ServerMsg{Kind: ResponseOK, RequestID: 1, Response: &Response{Kind: Execute, Result: &StmtResult{Rows: [][]Value{{text(strings.Repeat("x", n))}}}}}
		got, err := Protobuf.DecodeServerMsg(Protobuf.AppendServerMsg(nil, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestRefusedProtobuf(t *testing.T) {
	t.Parallel()
	deep := []byte{1 << 3, 0}
	for range 200 {
		deep = field(3, deep...)
	}
	execute := func(value ...byte) []byte { return field(2, field(2, field(1, field(3, value...)...)...)...) }
	tests := map[string]struct {
		body   []byte
		reason string
	}{
		"no tag":                  {[]byte{0xff}, "no tag"},
		"cut":                     {[]byte{2<<3 | 2, 5}, "field 2"},
		"a wrong type":            {[]byte{1 << 3, 5}, "field 1 has a wrong type"},
		"a request of no kind":    {field(2), "a request lacks"},
		"a value of no kind":      {execute(), "a value lacks"},
		"not UTF-8":               {execute(4<<3|2, 1, 0xff), "field 4 is not UTF-8"},
		"no statement":            {field(2, field(2)...), "execute lacks the field stmt"},
		"deep conditions":         {field(2, field(3, field(1, field(1, field(1, deep...)...)...)...)...), "nests deeper"},
		"longer than its message": {field(2, 2<<3|2, 9, 0), "field 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Protobuf.DecodePipelineRequest(test.body)
			var wrong *DecodeError
			if !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, test.reason) {
				t.Errorf("got %+v, %v, want an error with %q", got, err, test.reason)
			}
		})
	}
}

// TestProtobufFarStep has the key of a map far beyond what any batch holds.
func TestProtobufFarStep(t *testing.T) {
	t.Parallel()
	far := field(3, field(1, field(3, field(1, field(2, append([]byte{1 << 3, 0xff, 0xff, 0xff, 0xff, 0x0f}, field(2)...)...)...)...)...)...)
	if _, err := Protobuf.DecodePipelineResponse(far); err == nil || !strings.Contains(err.Error(), "a step's number") {
		t.Errorf("got %v", err)
	}
}
