package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"firstday.dev/api"
)

// setSetting changes one setting, named as in JSON: windows.ssap, secondFactor.
func setSetting(s *api.Settings, key, value string) error {
	v := reflect.ValueOf(s).Elem()
	for name := range strings.SplitSeq(key, ".") {
		if v.Kind() != reflect.Struct || !fieldNamed(v, name).IsValid() {
			return usageError{fmt.Errorf("%.60q is no setting; there are %s", key, strings.Join(settingKeys(), ", "))}
		}
		v = fieldNamed(v, name)
	}
	if err := take(v, value); err != nil {
		return usageError{fmt.Errorf("%s: %w", key, err)}
	}
	if err := s.Check(); err != nil {
		return usageError{err}
	}
	return nil
}

func take(v reflect.Value, value string) error {
	switch v.Kind() {
	case reflect.Bool:
		on, ok := map[string]bool{"on": true, "true": true, "off": false, "false": false}[value]
		if !ok {
			return fmt.Errorf("%.60q is neither on nor off", value)
		}
		v.SetBool(on)
	case reflect.Int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%.60q is not a number", value)
		}
		v.SetInt(int64(n))
	case reflect.String:
		v.SetString(value)
	case reflect.Slice:
		v.SetZero()
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return takeFile(v, value)
		}
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				v.Set(reflect.Append(v, reflect.ValueOf(item)))
			}
		}
	default:
		return fmt.Errorf("it holds several settings: name one of them")
	}
	return nil
}

// takeFile takes what a file holds; nothing without one.
func takeFile(v reflect.Value, path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, api.MaxLogo+1))
	v.SetBytes(data)
	return err
}

// settingKeys lists the settings, as they are named in JSON.
func settingKeys() []string { return keysOf(reflect.TypeFor[api.Settings](), "") }

func keysOf(t reflect.Type, above string) []string {
	var keys []string
	for f := range t.Fields() {
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(f.Type, above+jsonName(f)+".")...)
		} else {
			keys = append(keys, above+jsonName(f))
		}
	}
	return keys
}

func fieldNamed(v reflect.Value, name string) reflect.Value {
	for f := range v.Type().Fields() {
		if jsonName(f) == name {
			return v.FieldByIndex(f.Index)
		}
	}
	return reflect.Value{}
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
