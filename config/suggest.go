package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// nearest gives the candidate that word was most likely meant to be, or "".
func nearest(word string, candidates []string) string {
	best, at := "", 3
	word = plain(word)
	for _, c := range candidates {
		limit := max(1, min(len(c)/3, 2)) // short words resemble each other by chance
		if d := distance(word, plain(c)); d <= limit && d < at {
			best, at = c, d
		}
	}
	return best
}

// wordBreaks are the ways to part the words of a key.
var wordBreaks = strings.NewReplacer("_", "", "-", "", " ", "")

// plain makes the ways to write a key of several words alike.
func plain(key string) string { return wordBreaks.Replace(strings.ToLower(key)) }

// distance counts the letters to insert, remove, replace or swap with their
// neighbour between a and b. It gives up on words that no key is like, and on
// two that cannot be alike.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 || max(len(a)-len(b), len(b)-len(a)) > 2 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// homeOf says where a key belongs that stands in the wrong place, or "".
func homeOf(key string) string {
	homes := findKey(reflect.TypeFor[Config](), "", plain(key))
	depth := func(home string) int { return strings.Count("."+home, ".") }
	slices.SortFunc(homes, func(a, b string) int { return cmp.Or(cmp.Compare(depth(a), depth(b)), cmp.Compare(a, b)) })
	homes = slices.Compact(homes)
	if len(homes) == 0 || len(homes) > 1 && depth(homes[0]) == depth(homes[1]) {
		return "" // nowhere, or in too many places to tell
	}
	if homes[0] == "" {
		return "at the top of the file"
	}
	return "under " + homes[0]
}

func findKey(t reflect.Type, path, key string) (homes []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == timeType || t == reflect.TypeFor[Policy]() || t == reflect.TypeFor[RootCertificate]() {
		return nil
	}
	for _, f := range fieldsOf(t) {
		if plain(f.name) == key {
			homes = append(homes, path)
		}
		homes = append(homes, findKey(t.FieldByIndex(f.index).Type, child(path, f.name), key)...)
	}
	return homes
}
