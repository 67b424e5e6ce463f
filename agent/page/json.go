package page

import (
	"fmt"
	"strings"

	"firstday.dev/agent/local"
)

// What the page is told is JSON, the same bytes as native/core.c of
// agent/loginplugin writes.

// put writes a string. U+2028 and U+2029 are ends of lines in older JavaScript; "<"
// never begins a tag.
func put(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r < ' ', r == 0x7f, strings.ContainsRune(`"\<>&`, r), r == '\u2028', r == '\u2029':
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// putPair writes another pair of an object, unless the value is empty.
func putPair(b *strings.Builder, key, value string) {
	if value == "" {
		return
	}
	b.WriteByte(',')
	put(b, key)
	b.WriteByte(':')
	put(b, value)
}

// names are those of a screen's texts on a page, in their order.
var names = [][2]string{
	{"state", "state"}, {"why", "why"}, {"code", "code"}, {"online", "online"}, {"device.managed", "managed"}, {"left", "left"},
	{"title", "title"}, {"message", "message"}, {"text", "text"}, {"help", "help"}, {"usercode", "usercode"}, {"uri", "uri"},
	{"account", "account"}, {"device.name", "name"}, {"device.serial", "serialnumber"}, {"device.model", "model"}, {"device.os", "os"},
	{"device.organisation", "organisation"}, {"device.heard", "heard"},
}

// screenJSON writes a screen for the page. Of the address of the first page it tells
// that there is one.
func screenJSON(s *local.Block) string {
	var b strings.Builder
	b.WriteString(`{"kind":"screen"`)
	putPair(&b, "serial", s.Word(1))
	for _, name := range names {
		putPair(&b, name[1], s.Value(name[0]))
	}
	if s.Value("page") != "" {
		putPair(&b, "page", "yes")
	}
	putItems(&b, s, "field", "fields", "kind")
	putItems(&b, s, "action", "actions", "rank")
	b.WriteString(`,"qr":[`)
	comma := ""
	for _, p := range s.Pairs {
		if p[0] == "qr" {
			b.WriteString(comma)
			put(&b, p[1])
			comma = ","
		}
	}
	b.WriteString("]}")
	return b.String()
}

// putItems writes the fields of a screen, or its actions.
func putItems(b *strings.Builder, s *local.Block, key, list, kind string) {
	b.WriteByte(',')
	put(b, list)
	b.WriteString(":[")
	comma := ""
	for _, p := range s.Pairs {
		if p[0] != key {
			continue
		}
		words := strings.SplitN(p[1], " ", 3) // as the reader has seen
		b.WriteString(comma + `{"name":`)
		put(b, words[0])
		putPair(b, kind, words[1])
		putPair(b, "label", words[2])
		b.WriteByte('}')
		comma = ","
	}
	b.WriteByte(']')
}

// noteJSON writes what the page is told besides screens and answers.
func noteJSON(kind, code, message string) string {
	var b strings.Builder
	b.WriteString(`{"kind":`)
	put(&b, kind)
	putPair(&b, "code", code)
	putPair(&b, "message", message)
	b.WriteByte('}')
	return b.String()
}

// answerJSON writes the answer to what the page has asked.
func answerJSON(verb string, pairs [][2]string) string {
	var b strings.Builder
	b.WriteString(`{"kind":"answer","verb":`)
	put(&b, verb)
	b.WriteString(`,"pairs":[`)
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('[')
		put(&b, p[0])
		b.WriteByte(',')
		put(&b, p[1])
		b.WriteByte(']')
	}
	b.WriteString("]}")
	return b.String()
}

// refusalJSON writes why there is no answer.
func refusalJSON(verb, word, message string) string {
	var b strings.Builder
	b.WriteString(`{"kind":"answer","verb":`)
	put(&b, verb)
	putPair(&b, "error", word)
	putPair(&b, "message", message)
	b.WriteByte('}')
	return b.String()
}
