package server

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"strings"
)

// replication answers an embedded replica of libSQL, which asks by gRPC-web and
// would take any other answer for a broken one, and try again. There are none yet.
func (c *call) replication(path string) bool {
	if !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/grpc-web") {
		return false
	}
	const unimplemented = "12"
	trailer := "grpc-status:" + unimplemented + "\r\ngrpc-message:" +
		url.PathEscape("Nearlite does not serve embedded replicas yet ("+path+"): open the database without syncUrl, by its URL alone") + "\r\n"
	body := binary.BigEndian.AppendUint32([]byte{0x80}, uint32(len(trailer))) // a frame of trailers
	_ = send(c.w, http.StatusOK, []string{"application/grpc-web+proto"}, append(body, trailer...))
	return true
}
