package hrana

import (
	"bytes"
	"strings"
	"testing"
)

// A message of many tiny parts takes fifty times its size in memory, so their number
// is bounded.
func TestTooManyParts(t *testing.T) {
	t.Parallel()
	enough := maxParts + 1
	for name, m := range map[string]struct {
		enc  Encoding
		data []byte
	}{
		"requests in protobuf": {Protobuf, bytes.Repeat([]byte{0x12, 2, 0x0a, 0}, enough/2+1)},
		"requests in JSON":     {JSON, []byte(`{"requests":[` + strings.Repeat(`{"type":"close"},`, enough) + `{"type":"close"}]}`)},
		"what is skipped":      {JSON, []byte(`{"x":[` + strings.Repeat("1,", enough) + `1]}`)},
	} {
		if _, err := m.enc.DecodePipelineRequest(m.data); err == nil || !strings.Contains(err.Error(), "2097152 parts") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
