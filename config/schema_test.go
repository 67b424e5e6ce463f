package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
)

var update = flag.Bool("update", false, "rewrite the golden files and firstday.schema.json")

func TestSchemaIsMadeFromTheTypes(t *testing.T) {
	s := schemaMaker{t: t, comments: fieldComments(t)}.of(reflect.TypeFor[Config]())
	s.Schema = "http://json-schema.org/draft-07/schema#"
	s.ID = SchemaID
	s.Title = "Firstday configuration"
	s.Description = "What an organisation's laptops get: firstday.yaml."
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("firstday.schema.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		schema = b.Bytes()
	}
	if diff := cmp.Diff(string(Schema()), b.String()); diff != "" {
		t.Errorf("firstday.schema.json is out of date (go test ./config -update):\n%s", diff)
	}
}

// TestSchemaRefusesOnlyWhatParseRefuses asks both about every file of the
// corpus: an editor must not mark what builds.
func TestSchemaRefusesOnlyWhatParseRefuses(t *testing.T) {
	s := resolvedSchema(t)
	for _, name := range corpus(t, "good", "bad") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, r := parse(name, data, testNow)
		doc, err := generic(data)
		if err != nil {
			continue // no YAML, or YAML beyond JSON: not the schema's business
		}
		err = s.Validate(doc)
		if err != nil && len(r.errs) == 0 {
			t.Errorf("%s: Parse accepts it, the schema does not: %v", name, err)
		}
		if strings.Contains(name, "good") && err != nil {
			t.Errorf("%s: schema: %v", name, err)
		}
	}
}

// TestSchemaCatchesTypos makes sure that the schema is of use: each of these
// single changes to a good file must be marked.
func TestSchemaCatchesTypos(t *testing.T) {
	s := resolvedSchema(t)
	good, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"version: 1", "version: 2"},
		{"organisation:", "organization:"},
		{"https://directory.acme.example", "http://directory.acme.example"},
		{"sha256:", "sha1:"},
		{"env: FIRSTDAY_CONNECT_KEY", "env: FIRSTDAY-CONNECT-KEY"},
		{"owner: ITAdmin", "owner: itadmin"},
		{"rank: 5", "rank: 500"},
		{"%SERIAL%", "%SERAIL%"},
		{"security: wpa3", "security: wpa4"},
		{"permission: standard", "permission: root"},
		{"successCodes: [0, 1638]", "successCodes: 0"},
		{"hideOobe: true", "hideOobe: yes please"},
		{"password: {prompt: true}", "password: hunter2"},
		{"pkcs12:", "pkcs11:"},
	} {
		changed := strings.Replace(string(good), change[0], change[1], 1)
		if changed == string(good) {
			t.Fatalf("%q is not in everything.yaml", change[0])
		}
		doc, err := generic([]byte(changed))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(doc) == nil {
			t.Errorf("the schema accepts %q", change[1])
		}
	}
}

func resolvedSchema(tb testing.TB) *jsonschema.Resolved {
	tb.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(Schema(), &s); err != nil {
		tb.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return resolved
}

// generic reads YAML the way an editor does: into the values JSON has.
func generic(data []byte) (doc any, err error) {
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	doc = nil
	return doc, json.Unmarshal(encoded, &doc)
}

func corpus(tb testing.TB, folders ...string) []string {
	tb.Helper()
	var names []string
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
		if err != nil || len(found) == 0 {
			tb.Fatalf("no files in testdata/%s: %v", folder, err)
		}
		names = append(names, found...)
	}
	return names
}

// schemaMaker makes the schema of a type from its fields, their comments and
// the rules below.
type schemaMaker struct {
	t        *testing.T
	comments map[string]string // by Type.Field
}

func (m schemaMaker) of(t reflect.Type) *jsonschema.Schema {
	switch t {
	case timeType:
		return &jsonschema.Schema{Type: "string", Pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?$`, Examples: []any{"2027-03-31", "2027-03-31T18:00:00Z"}}
	case pathType, reflect.TypeFor[RootCertificate]():
		return &jsonschema.Schema{Type: "string", MinLength: ptr(1)}
	case reflect.TypeFor[Policies]():
		return m.policies()
	case nodeType:
		return &jsonschema.Schema{Types: []string{"integer", "string", "boolean"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return m.of(t.Elem())
	case reflect.Struct:
		return m.object(t)
	case reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: m.of(t.Elem())}
	case reflect.String:
		return &jsonschema.Schema{Type: "string", Enum: enums[t]}
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	case reflect.Int:
		return &jsonschema.Schema{Type: "integer"}
	}
	m.t.Fatalf("no schema for %v", t)
	return nil
}

func (m schemaMaker) object(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: nothing()}
	for _, f := range fieldsOf(t) {
		sf := t.FieldByIndex(f.index)
		owner := f.of.Name()
		p := m.of(sf.Type)
		if p.Description = m.comments[owner+"."+sf.Name]; p.Description == "" {
			m.t.Errorf("%s.%s has no comment to describe it", owner, sf.Name)
		}
		if f.option != "" {
			source := *p
			source.Description = ""
			p = &jsonschema.Schema{Description: p.Description, OneOf: []*jsonschema.Schema{{Const: ptr[any](f.option)}, &source}}
		}
		if rule, ok := rules[owner+"."+f.name]; ok {
			rule(p)
		}
		if f.required {
			s.Required = append(s.Required, f.name)
		}
		s.Properties[f.name] = p
		s.PropertyOrder = append(s.PropertyOrder, f.name)
	}
	if rule, ok := rules[t.Name()]; ok {
		rule(s)
	}
	return s
}

func (m schemaMaker) policies() *jsonschema.Schema {
	const name = `\.*[A-Za-z0-9_~-][A-Za-z0-9_.~-]*` // not only dots
	return &jsonschema.Schema{
		Type:          "object",
		MaxProperties: ptr(maxPolicies),
		PropertyNames: &jsonschema.Schema{Pattern: "^" + name + "/" + name + "$"},
		AdditionalProperties: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Types: []string{"integer", "string"}}, // of a policy whose type is known
			m.of(reflect.TypeFor[typedPolicy]()),
		}},
		Examples: []any{map[string]any{"Experience/AllowCortana": 0,
			"Chrome~Policy~googlechrome/HomepageLocation": map[string]any{"type": "string", "value": "<disabled/>"}}},
	}
}

var enums = map[reflect.Type][]any{
	reflect.TypeFor[Owner]():      words(owners),
	reflect.TypeFor[Permission](): words(permissions),
	reflect.TypeFor[Security]():   words(securities),
	reflect.TypeFor[PolicyType](): words(policyTypes),
}

// rules are what an editor can check beyond types, and what it can suggest.
var rules = map[string]func(*jsonschema.Schema){
	"Config.version":    func(s *jsonschema.Schema) { s.Enum = []any{Version} },
	"Organisation.name": func(s *jsonschema.Schema) { s.Pattern, s.MaxLength, s.Examples = `\S`, ptr(64), []any{"Acme"} },
	"Organisation.id": func(s *jsonschema.Schema) {
		s.Pattern, s.Examples = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`, []any{"acme"}
	},
	"Directory.url": func(s *jsonschema.Schema) {
		s.Pattern, s.Examples = `^https://[^?#]+$`, []any{"https://directory.acme.example"}
	},
	"Directory.pin": func(s *jsonschema.Schema) { s.Pattern = `^sha256:[0-9A-Fa-f]{64}$` },
	"Directory":     func(s *jsonschema.Schema) { s.Not = &jsonschema.Schema{Required: []string{"pin", "ca"}} },
	"ConnectKey":    oneSource,
	"SecretSource":  oneSource,
	"SecretSource.env": func(s *jsonschema.Schema) {
		s.Pattern, s.Examples = `^[A-Za-z_][A-Za-z0-9_]{0,254}$`, []any{"FIRSTDAY_CONNECT_KEY"}
	},
	"SecretSource.prompt": func(s *jsonschema.Schema) { s.Enum = []any{true} },
	"Package.name": func(s *jsonschema.Schema) {
		s.Pattern, s.MaxLength, s.Examples = `^[^/\\<>:"|?*]+$`, ptr(250), []any{"Acme"}
	},
	"Package.version": func(s *jsonschema.Schema) {
		s.Pattern, s.Examples = `^(0|[1-9][0-9]{0,4})(\.(0|[1-9][0-9]{0,4})){1,3}$`, []any{"1.0"}
	},
	"Package.owner":        func(s *jsonschema.Schema) { s.Default = json.RawMessage(`"ITAdmin"`) },
	"Package.rank":         func(s *jsonschema.Schema) { s.Minimum, s.Maximum = ptr(0.0), ptr(99.0) },
	"Windows.computerName": computerName,
	"Windows.hideOobe":     func(s *jsonschema.Schema) { s.Default = json.RawMessage(`true`) },
	"BreakGlass.enabled":   func(s *jsonschema.Schema) { s.Default = json.RawMessage(`true`) },
	"BreakGlass.name": func(s *jsonschema.Schema) {
		s.Pattern, s.MaxLength, s.Examples = `^[^"/\\\[\]:;|=,+*?<>@%]+$`, ptr(20), []any{"rescue"}
	},
	"SignIn.enabled":           func(s *jsonschema.Schema) { s.Default = json.RawMessage(`true`) },
	"SignIn.permission":        func(s *jsonschema.Schema) { s.Default = json.RawMessage(`"standard"`) },
	"SignIn.text":              func(s *jsonschema.Schema) { s.MaxLength = ptr(200) },
	"SignIn.helpUrl":           webAddress("https://help.acme.example"),
	"WiFi":                     oneOfRequired([]string{"ssid"}, []string{"profile"}),
	"WiFi.ssid":                func(s *jsonschema.Schema) { s.MinLength, s.MaxLength = ptr(1), ptr(32) },
	"WiFi.security":            func(s *jsonschema.Schema) { s.Default = json.RawMessage(`"wpa2"`) },
	"Payload.arguments":        func(s *jsonschema.Schema) { s.MaxLength, s.Examples = ptr(maxArguments), []any{"/S"} },
	"Payload.successCodes":     exitCodes("[0]"),
	"Payload.rebootCodes":      exitCodes("[3010, 1641]"),
	"Payload.sha256":           func(s *jsonschema.Schema) { s.Pattern = `^[0-9A-Fa-f]{64}$` },
	"Signing.signer":           func(s *jsonschema.Schema) { s.MinItems = ptr(1) },
	"Signing.timestamp":        func(s *jsonschema.Schema) { webAddress("http://timestamp.digicert.com")(s.Items) },
	"Signing":                  oneIdentity,
	"typedPolicy.value":        func(*jsonschema.Schema) {},
	"Windows.rootCertificates": func(s *jsonschema.Schema) { s.Items.Examples = []any{"root-ca.pem"} },
}

func computerName(s *jsonschema.Schema) {
	s.Pattern = `^([A-Za-z0-9-]|%SERIAL%|%RAND:(1[0-5]?|[2-9])%)+$`
	s.Examples = []any{"ACME-%SERIAL%", "ACME-%RAND:5%"}
}

func oneSource(s *jsonschema.Schema) {
	oneOfRequired([]string{"file"}, []string{"env"}, []string{"prompt"})(s)
}

func oneIdentity(s *jsonschema.Schema) {
	oneOfRequired([]string{"certificate", "key"}, []string{"pkcs12"}, []string{"signer"}, []string{"throwaway"})(s)
	s.OneOf[3].Properties = map[string]*jsonschema.Schema{"throwaway": {Enum: []any{true}}}
}

func oneOfRequired(choices ...[]string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		for _, keys := range choices {
			s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: keys})
		}
	}
}

func webAddress(example string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Pattern, s.Examples = `^https?://`, []any{example} }
}

func exitCodes(byDefault string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		s.MaxItems, s.Default = ptr(maxCodes), json.RawMessage(byDefault)
		s.Items.Minimum, s.Items.Maximum = ptr(float64(-1<<31)), ptr(float64(1<<32-1))
	}
}

// nothing is the schema that accepts nothing, written false.
func nothing() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

func ptr[T any](v T) *T { return &v }

func words[T ~string](list []T) (all []any) {
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}

// fieldComments reads the comments of this package's struct fields.
func fieldComments(t *testing.T) map[string]string {
	comments := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, ident := range f.Names {
						comments[fmt.Sprintf("%s.%s", spec.Name, ident)] = strings.Join(strings.Fields(f.Doc.Text()), " ")
					}
				}
			}
			return false
		})
	}
	return comments
}
