package hrana_test

import (
	"fmt"

	"github.com/nearlite/nearlite/hrana"
)

// What a client sends to POST /v2/pipeline, and what it makes of the answer.
func Example() {
	sql := "SELECT name FROM account WHERE id = ?"
	body := hrana.JSON.AppendPipelineRequest(nil, &hrana.PipelineRequest{Requests: []hrana.Request{
		{Kind: hrana.Execute, Stmt: &hrana.Stmt{SQL: &sql, Args: []hrana.Value{{Kind: hrana.Integer, Integer: 7}}}},
		{Kind: hrana.Close},
	}})
	fmt.Println(string(body))

	answer := []byte(`{"baton":null,"base_url":null,"results":[
		{"type":"ok","response":{"type":"execute","result":{"cols":[{"name":"name"}],"rows":[[{"type":"text","value":"Ann"}]],"affected_row_count":0}}},
		{"type":"ok","response":{"type":"close"}}]}`)
	response, err := hrana.JSON.DecodePipelineResponse(answer)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.Results[0].OK.Result.Rows[0][0].Text)
	// Output:
	// {"baton":null,"requests":[{"type":"execute","stmt":{"sql":"SELECT name FROM account WHERE id = ?","args":[{"type":"integer","value":"7"}]}},{"type":"close"}]}
	// Ann
}
