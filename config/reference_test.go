package config

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
)

const referenceFile = "../docs/configuration.md"

// What an editor says about a key, the reference says, too.
func TestReferenceIsMadeFromTheSchema(t *testing.T) {
	r := reference{shown: map[string]string{}}
	r.WriteString(`# firstday.yaml

Made from [the schema](../config/firstday.schema.json), by which editors check the file as it is typed; ` + "`firstday init`" + `
writes both. Paths are relative to the file's folder. A key in **bold** must be there.
`)
	r.object("", "What the file holds.", schemaMaker{t: t, comments: fieldComments(t)}.of(reflect.TypeFor[Config]()))
	if *update {
		if err := os.WriteFile(referenceFile, []byte(r.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), r.String()); diff != "" {
		t.Errorf("docs/configuration.md is out of date (go test ./config -update):\n%s", diff)
	}
}

// reference writes a section for each object, after that of the one it is in.
type reference struct {
	strings.Builder
	shown map[string]string // where the like of an object is described
}

func (r *reference) object(path, description string, s *jsonschema.Schema) {
	title := "The file"
	if path != "" {
		title = "`" + path + "`"
	}
	fmt.Fprintf(r, "\n## %s\n\n%s%s\n\n| key | what it is | values |\n|---|---|---|\n", title, description, choice(s))
	var below []string
	for _, name := range s.PropertyOrder {
		p := s.Properties[name]
		key := "`" + name + "`"
		for _, required := range s.Required {
			if required == name {
				key = "**" + key + "**"
			}
		}
		values := describeValues(p)
		if o := objectIn(p); o != nil {
			like, known := r.shown[shape(o)]
			if !known {
				like = join(path, name, p)
				r.shown[shape(o)] = like
				below = append(below, name)
			}
			values = strings.TrimSpace(values + " [" + like + "](#" + anchor(like) + ")")
		}
		fmt.Fprintf(r, "| %s | %s | %s |\n", key, cell(p.Description), cell(values))
	}
	for _, name := range below {
		p := s.Properties[name]
		r.object(join(path, name, p), p.Description, objectIn(p))
	}
}

func join(path, name string, p *jsonschema.Schema) string {
	if path != "" {
		name = path + "." + name
	}
	if p.Type == "array" {
		name += "[]"
	}
	return name
}

// objectIn is the object that a key holds, in a list or as one of two choices.
func objectIn(s *jsonschema.Schema) *jsonschema.Schema {
	if s == nil || len(s.Properties) > 0 {
		return s
	}
	if s.Items != nil {
		return objectIn(s.Items)
	}
	for _, one := range s.OneOf {
		if len(one.Properties) > 0 {
			return one
		}
	}
	return nil
}

// shape tells objects of the same keys from others.
func shape(s *jsonschema.Schema) string {
	data, err := json.Marshal(s.Properties)
	if err != nil {
		panic(err) // they are made by this test
	}
	return string(data)
}

// choice says which keys exclude each other.
func choice(s *jsonschema.Schema) string {
	var ways []string
	for _, one := range s.OneOf {
		if len(one.Required) > 0 {
			ways = append(ways, "`"+strings.Join(one.Required, "` and `")+"`")
		}
	}
	if s.Not != nil && len(s.Not.Required) > 0 {
		return " Not both of `" + strings.Join(s.Not.Required, "` and `") + "`."
	}
	if len(ways) == 0 {
		return ""
	}
	return " Exactly one of: " + strings.Join(ways, ", ") + "."
}

func describeValues(s *jsonschema.Schema) string {
	var words []string
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	for _, one := range s.OneOf {
		if one.Const != nil {
			say("`%v`, or", *one.Const)
		}
	}
	switch {
	case len(s.Enum) > 0:
		var list []string
		for _, v := range s.Enum {
			list = append(list, fmt.Sprintf("`%v`", v))
		}
		say("%s", strings.Join(list, ", "))
	case s.Type == "array":
		say("list")
		if s.Items != nil && s.Items.Type != "object" && s.Items.Type != "" {
			say("of %ss", s.Items.Type)
		}
	case s.Type != "object" && s.Type != "":
		say("%s", s.Type)
	}
	if s.MaxLength != nil {
		say("of at most %d characters", *s.MaxLength)
	}
	if s.Minimum != nil && s.Maximum != nil {
		say("from %v to %v", *s.Minimum, *s.Maximum)
	}
	if s.Default != nil {
		say("(default `%s`)", strings.Trim(string(s.Default), `"`))
	}
	for i, v := range s.Examples {
		text, ok := v.(string)
		if !ok {
			data, err := json.Marshal(v)
			if err != nil {
				panic(err) // they are made by this test
			}
			text = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(data))
		}
		if i == 0 {
			say("such as")
		} else {
			say("or")
		}
		say("`%s`", text)
	}
	return strings.Join(words, " ")
}

// anchor is how GitHub makes a link to a heading.
func anchor(heading string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "[", "", "]", "").Replace(heading))
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
