package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// maxIndex bounds the lists that a sheet's columns make.
const maxIndex = 19

var rootType = reflect.TypeFor[RootCertificate]()

// columnType gives the type of the value of firstday.yaml at path, which must be one
// that a cell can hold and that may differ within a batch.
func columnType(path string) (reflect.Type, error) {
	switch {
	case path == "":
		return nil, errors.New("a column has no name")
	case path == "version":
		return nil, errors.New("version is that of the template's format; the package's is package.version")
	case under(path, "signing") || under(path, "macos.signing") || under(path, "macos.notary"):
		return nil, errors.New("who signs stands in the template: a batch has one signer")
	}
	t := reflect.TypeFor[Config]()
	for _, step := range strings.Split(path, ".") {
		name, index, list := strings.Cut(step, "[")
		of, ok := fieldOf(t, name)
		if !ok {
			return nil, unknownColumn(path)
		}
		if t = of; t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if !list {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if t.Kind() != reflect.Slice || err != nil || n < 0 || n > maxIndex || index != strconv.Itoa(n)+"]" {
			return nil, unknownColumn(path)
		}
		t = t.Elem()
	}
	switch {
	case t == rootType:
		return pathType, nil
	case t == timeType || t.Kind() == reflect.String || t.Kind() == reflect.Int || t.Kind() == reflect.Bool:
		return t, nil
	case namesSecret(t):
		return nil, fmt.Errorf("%s is a secret, which must not stand in a table", path)
	}
	return nil, fmt.Errorf("%s is more than one value", path)
}

func unknownColumn(path string) error {
	return fmt.Errorf("the column %.60q is not known", path)
}

func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	for _, f := range fieldsOf(t) {
		if f.name == name {
			return t.FieldByIndex(f.index).Type, true
		}
	}
	return nil, false
}

func under(path, section string) bool {
	return path == section || strings.HasPrefix(path, section+".")
}

// columnHint says what a column may have been meant to be.
func columnHint(name string) string {
	if t, ok := fieldOf(reflect.TypeFor[Config](), name); ok && namesSecret(t) {
		return "name its file with " + name + ".file, or a variable with " + name + ".env"
	}
	candidates := []string{
		"folder", "platforms", "batch", "tags", "organisation.name", "organisation.id", "directory.url", "directory.pin", "directory.ca",
		"connectKey.file", "connectKey.env", "connectKey.expires", "package.name", "package.version", "windows.computerName",
		"windows.wifi[0].ssid", "windows.wifi[0].password.file",
	}
	if meant := nearest(name, candidates); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "columns are folder, platforms, batch, tags, or values of firstday.yaml such as organisation.name, connectKey.file, windows.wifi[0].ssid"
}
