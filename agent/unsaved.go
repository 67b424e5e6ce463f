package agent

import (
	"bytes"
	"os"
)

// unsaved is what the service knows though the disk, which may be full, did not take
// it. A state file is for the next start of the service; this one goes by what it
// knows. Whoever has written the file meanwhile has the last word.
type unsaved[R any] struct {
	record *R     // nil: the file holds it
	file   []byte // what the file held when it was read last
}

// recall gives the record to go by, where read is what the file holds.
func (u *unsaved[R]) recall(path string, read *R) *R {
	file, _ := os.ReadFile(path) // one that cannot be read holds nothing
	if u.record != nil && bytes.Equal(file, u.file) {
		return u.record
	}
	u.record, u.file = nil, file
	return read
}

// keep takes a record, and why the file does not hold it. It tells whether that is
// news.
func (u *unsaved[R]) keep(r *R, failed error) (news bool) {
	news = failed != nil && u.record == nil
	if u.record = nil; failed != nil {
		u.record = r
	}
	return news
}
