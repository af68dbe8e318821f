package report

import _ "embed"

// InstantSchemaJSON is the JSON Schema of what an instant is told as in JSON
// ($defs/document) and of a line of NDJSON ($defs/line).
//
//go:embed schema/at-v1.schema.json
var InstantSchemaJSON []byte
