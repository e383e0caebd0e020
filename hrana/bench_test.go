package hrana

import "testing"

// The shapes that go over the wire most: one execute in, one row of four columns out.

const executeRequest = `{"baton":null,"requests":[{"type":"execute","stmt":{"sql":"SELECT id, name, balance, data FROM account WHERE id = ?","args":[{"type":"integer","value":"4711"}],"named_args":[],"want_rows":true}},{"type":"close"}]}`

func oneRow() *PipelineResponse {
	names := []string{"id", "name", "balance", "data"}
	types := []string{"INTEGER", "TEXT", "REAL", "BLOB"}
	result := &StmtResult{Rows: [][]Value{{
		{Kind: Integer, Integer: 4711},
		{Kind: Text, Text: "a name of usual length"},
		{Kind: Float, Float: 12.5},
		{Kind: Blob, Blob: make([]byte, 32)},
	}}, RowsRead: 1, QueryDurationMS: 0.031}
	for i := range names {
		result.Cols = append(result.Cols, Col{&names[i], &types[i]})
	}
	return &PipelineResponse{Results: []StreamResult{{OK: &Response{Kind: Execute, Result: result}}, {OK: &Response{Kind: Close}}}}
}

func BenchmarkDecodeExecute(b *testing.B) {
	request, err := JSON.DecodePipelineRequest([]byte(executeRequest))
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range []Encoding{JSON, Protobuf} {
		data := e.AppendPipelineRequest(nil, request)
		b.Run(e.name(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := e.DecodePipelineRequest(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendRow(b *testing.B) {
	response := oneRow()
	row := response.Results[0].OK.Result.Rows[0]
	dst := make([]byte, 0, 1<<16)
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = jsonRow(dst[:0], row)
		}
	})
	b.Run("protobuf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = protoRow(dst[:0], row)
		}
	})
}

func BenchmarkPipelineResponse(b *testing.B) {
	response := oneRow()
	for _, e := range []Encoding{JSON, Protobuf} {
		data := e.AppendPipelineResponse(nil, response)
		dst := make([]byte, 0, 1<<16)
		b.Run("append/"+e.name(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				dst = e.AppendPipelineResponse(dst[:0], response)
			}
		})
		b.Run("decode/"+e.name(), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := e.DecodePipelineResponse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
