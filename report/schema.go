package report

import _ "embed"

// SchemaJSON is the JSON Schema of a line of NDJSON ($defs/line) and of the
// object of JSON ($defs/document). The tests hold all outputs against it.
//
//go:embed schema/tcpstate-v1.schema.json
var SchemaJSON []byte
