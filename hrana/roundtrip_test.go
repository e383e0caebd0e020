package hrana

import (
	"bufio"
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func (e Encoding) name() string { return [...]string{"json", "protobuf"}[e] }

// TestRoundTrip draws messages of every kind and wants them back as they were.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, e := range []Encoding{JSON, Protobuf} {
		t.Run(e.name()+"/pipeline request", roundTrip(e, genPipelineRequest, e.AppendPipelineRequest, e.DecodePipelineRequest))
		t.Run(e.name()+"/pipeline response", roundTrip(e, func(t *rapid.T) *PipelineResponse { return genPipelineResponse(t, e) }, e.AppendPipelineResponse, e.DecodePipelineResponse))
		t.Run(e.name()+"/cursor request", roundTrip(e, func(t *rapid.T) *CursorRequest {
			return &CursorRequest{genSQL.Draw(t, "baton"), genBatch(t)}
		}, e.AppendCursorRequest, e.DecodeCursorRequest))
		t.Run(e.name()+"/client message", roundTrip(e, genClientMsg, e.AppendClientMsg, e.DecodeClientMsg))
		t.Run(e.name()+"/server message", roundTrip(e, func(t *rapid.T) *ServerMsg { return genServerMsg(t, e) }, e.AppendServerMsg, e.DecodeServerMsg))
		t.Run(e.name()+"/error", roundTrip(e, genError, e.AppendError, e.DecodeError))
	}
}

func roundTrip[T any](e Encoding, draw func(*rapid.T) *T, encode func([]byte, *T) []byte, decode func([]byte) (*T, error)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			want := draw(t)
			data := encode([]byte("before"), want)[len("before"):]
			if e == JSON && !json.Valid(data) {
				t.Fatalf("not JSON: %s", data)
			}
			got, err := decode(data)
			if err != nil {
				t.Fatalf("%v in %q", err, data)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%q\n got %+v\nwant %+v", data, got, want)
			}
		})
	}
}

// TestCursorStream reads a cursor's answer back through the splitter.
func TestCursorStream(t *testing.T) {
	t.Parallel()
	for _, e := range []Encoding{JSON, Protobuf} {
		t.Run(e.name(), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				head := &CursorResponse{genSQL.Draw(t, "baton"), genSQL.Draw(t, "base_url")}
				entries := genList(genNumbered(genEntry)).Draw(t, "entries")
				data := e.AppendCursorResponse(nil, head)
				for i := range entries {
					data = e.AppendCursorEntry(data, &entries[i])
				}
				checkCursorStream(t, e, data, head, entries)
			})
		})
	}
}

func checkCursorStream(t *rapid.T, e Encoding, data []byte, head *CursorResponse, entries []CursorEntry) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Split(e.SplitCursor)
	if !lines.Scan() {
		t.Fatalf("nothing in %q: %v", data, lines.Err())
	}
	gotHead, err := e.DecodeCursorResponse(lines.Bytes())
	if err != nil || !reflect.DeepEqual(gotHead, head) {
		t.Fatalf("got %+v, %v, want %+v", gotHead, err, head)
	}
	var got []CursorEntry
	for lines.Scan() {
		entry, err := e.DecodeCursorEntry(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, *entry)
	}
	if lines.Err() != nil || !reflect.DeepEqual(got, entries) {
		t.Fatalf("got %+v, %v, want %+v", got, lines.Err(), entries)
	}
}
