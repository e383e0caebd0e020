package server

import "testing"

// An embedded replica is told in its own protocol that there is none; everybody
// else that there is nothing at that path.
func TestReplicaIsRefusedByGRPC(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.do("POST", "/wal_log.ReplicationLog/Hello", "", "Content-Type", "application/grpc-web").expect(t, 200, "grpc-status:12\r\n", "syncUrl")
	b.do("POST", "/wal_log.ReplicationLog/Hello", "").expect(t, 404, "NOT_FOUND")
}

func TestQueryRefusesUnknownFields(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.do("POST", "/v1/query", `{"sql": "SELECT ?", "args": [1]}`).expect(t, 400, "BAD_REQUEST", "args", "params")
	b.do("POST", "/v1/query", `{"sql": "SELECT 1"} {"sql": "SELECT 2"}`).expect(t, 400, "follows")
}
