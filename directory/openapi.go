package directory

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"

	"firstday.dev/api"
)

// pathOpenAPI is where the directory describes its calls.
const pathOpenAPI = "/v1/openapi.json"

// The parts of an OpenAPI 3.1 document that ours has.
type (
	openAPI struct {
		OpenAPI    string                           `json:"openapi"`
		Info       openAPIInfo                      `json:"info"`
		Paths      map[string]map[string]*operation `json:"paths"`
		Components components                       `json:"components"`
	}
	openAPIInfo struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	operation struct {
		Summary     string                `json:"summary"`
		Description string                `json:"description,omitempty"`
		Parameters  []parameter           `json:"parameters,omitempty"`
		RequestBody *content              `json:"requestBody,omitempty"`
		Responses   map[string]*content   `json:"responses"`
		Security    []map[string][]string `json:"security,omitempty"`
	}
	parameter struct {
		Name     string             `json:"name"`
		In       string             `json:"in"`
		Required bool               `json:"required,omitempty"`
		Schema   *jsonschema.Schema `json:"schema"`
	}
	content struct {
		Description string                                   `json:"description,omitempty"`
		Required    bool                                     `json:"required,omitempty"`
		Content     map[string]map[string]*jsonschema.Schema `json:"content"`
	}
	components struct {
		Schemas         map[string]*jsonschema.Schema `json:"schemas"`
		SecuritySchemes map[string]map[string]string  `json:"securitySchemes"`
	}
)

// errorAnswer is every answer that is a refusal.
type errorAnswer struct {
	Error api.Error `json:"error"`
}

// document describes all calls. It is made of the very routes that serve them.
func document(routes []route) (*openAPI, error) {
	d := &openAPI{
		OpenAPI: "3.1.0",
		Info:    openAPIInfo{"Firstday directory", "1", "The calls of devices and of those who administer. Fields may be added; none changes its meaning."},
		Paths:   make(map[string]map[string]*operation),
		Components: components{Schemas: make(map[string]*jsonschema.Schema), SecuritySchemes: map[string]map[string]string{
			"token":       {"type": "http", "scheme": "bearer"},
			"certificate": {"type": "mutualTLS"},
		}},
	}
	for _, r := range routes {
		o, err := d.operation(r)
		if err != nil {
			return nil, err
		}
		if d.Paths[r.path] == nil {
			d.Paths[r.path] = make(map[string]*operation)
		}
		d.Paths[r.path][strings.ToLower(r.method)] = o
	}
	return d, nil
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

func (d *openAPI) operation(r route) (*operation, error) {
	o := &operation{Summary: r.summary, Responses: make(map[string]*content)}
	if len(r.roles) > 0 {
		var roles []string
		for _, role := range r.roles {
			roles = append(roles, string(role))
		}
		o.Description = "For the roles " + strings.Join(roles, ", ") + "."
	}
	if r.security != "" {
		o.Security = []map[string][]string{{r.security: {}}}
	}
	for _, m := range pathParameter.FindAllStringSubmatch(r.path, -1) {
		o.Parameters = append(o.Parameters, parameter{m[1], "path", true, &jsonschema.Schema{Type: "string"}})
	}
	for _, name := range r.query {
		o.Parameters = append(o.Parameters, parameter{name, "query", false, &jsonschema.Schema{Type: "string"}})
	}
	var err error
	if r.in != nil {
		if o.RequestBody, err = d.content("", r.in); err != nil {
			return nil, err
		}
		o.RequestBody.Required = true
	}
	if o.Responses["200"], err = d.content("It is done.", r.out); err != nil {
		return nil, err
	}
	if r.file {
		o.takeOrGive(r.method)
	}
	o.Responses["default"], err = d.content("It is refused.", reflect.TypeFor[errorAnswer]())
	return o, err
}

// takeOrGive is for files, which are not JSON.
func (o *operation) takeOrGive(method string) {
	file := &content{Content: map[string]map[string]*jsonschema.Schema{"application/octet-stream": {"schema": {}}}}
	if method == http.MethodPost {
		file.Required = true
		o.RequestBody = file
		return
	}
	file.Description = "The file."
	o.Responses["200"] = file
}

// content refers to the schema of a type, and adds that to the document.
func (d *openAPI) content(description string, t reflect.Type) (*content, error) {
	name, schema := "nothing", &jsonschema.Schema{Type: "object"}
	if t != nil {
		var err error
		name = schemaName(t)
		if schema, err = jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: wireTypes()}); err != nil {
			return nil, err
		}
		allowMore(schema)
	}
	d.Components.Schemas[name] = schema
	return &content{Description: description, Content: map[string]map[string]*jsonschema.Schema{
		"application/json": {"schema": {Ref: "#/components/schemas/" + name}},
	}}, nil
}

var notAName = regexp.MustCompile(`(\w+\.)*(\w+/)*|[^A-Za-z0-9]`)

// schemaName is that of a type, without its package.
func schemaName(t reflect.Type) string {
	name := t.Name()
	if element, ok := strings.CutPrefix(name, "listOf["); ok {
		element = strings.TrimSuffix(element[strings.LastIndexAny(element, ".")+1:], "]")
		return "ListOf" + element
	}
	return notAName.ReplaceAllString(name, "")
}

// allowMore lets a schema allow fields that it does not know: newer directories have
// more.
func allowMore(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	s.AdditionalProperties = nil
	for _, p := range s.Properties {
		allowMore(p)
	}
	allowMore(s.Items)
}

// wireTypes are those that JSON has as text.
func wireTypes() map[reflect.Type]*jsonschema.Schema {
	words := func(list ...string) *jsonschema.Schema {
		s := &jsonschema.Schema{Type: "string"}
		for _, w := range list {
			s.Enum = append(s.Enum, w)
		}
		return s
	}
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[uuid.UUID]():              {Type: "string", Format: "uuid"},
		reflect.TypeFor[time.Time]():              {Type: "string", Format: "date-time"},
		reflect.TypeFor[api.Duration]():           {Type: "string", Description: "a span of time, such as 168h"},
		reflect.TypeFor[api.Secret]():             {Type: "string"},
		reflect.TypeFor[[]byte]():                 {Type: "string", ContentEncoding: "base64"},
		reflect.TypeFor[json.RawMessage]():        {Type: "object"},
		reflect.TypeFor[api.Platform]():           words("windows", "macos", "linux"),
		reflect.TypeFor[api.Permission]():         words("standard", "administrator"),
		reflect.TypeFor[api.PINPolicy]():          words("off", "offered", "required"),
		reflect.TypeFor[api.HelloPolicy]():        words("off", "offered"),
		reflect.TypeFor[api.Role]():               words("owner", "technician", "auditor", "builder"),
		reflect.TypeFor[api.AdministratorState](): words("invited", "active", "disabled"),
		reflect.TypeFor[api.Way]():                words("passkey", "password", "provider"),
	}
}

// serveOpenAPI makes the document when it is asked for first.
func (d *Directory) serveOpenAPI() http.HandlerFunc {
	encoded := sync.OnceValues(func() ([]byte, error) { return encodeDocument(d.routes()) })
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := encoded()
		if err != nil {
			d.Log.ErrorContext(r.Context(), "the calls cannot be described", "error", err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	}
}

func encodeDocument(routes []route) ([]byte, error) {
	doc, err := document(routes)
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	return append(b, '\n'), err
}
