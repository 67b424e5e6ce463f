package config

import (
	"bytes"
	_ "embed"
)

// SchemaID is the name of the JSON Schema of firstday.yaml.
const SchemaID = "https://firstday.dev/schema/firstday.schema.json"

//go:embed firstday.schema.json
var schema []byte

// Schema gives the JSON Schema (draft 7) of firstday.yaml, for editors. It is
// made from this package's types and their comments by its test, and refuses
// nothing that [Parse] accepts.
func Schema() []byte { return bytes.Clone(schema) }
