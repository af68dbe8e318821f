package policy

import _ "embed"

// SchemaJSON is the JSON Schema of a policy, for editors. What it cannot say, the names in
// expressions and of thresholds, Parse does.
//
//go:embed policy-v1.schema.json
var SchemaJSON []byte
