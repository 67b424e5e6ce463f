package console

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"firstday.dev/api"
)

// maxList is what a form with a list of users or serial numbers sends, in bytes.
const maxList = 4 << 20

// readUpload reads a form that has a file, which is in memory then like its other
// fields: the route bounds both. The file's field is empty where there is none.
func (v *visit) readUpload(file string) ([]byte, error) {
	if !strings.HasPrefix(v.Header.Get("Content-Type"), "multipart/form-data") {
		return nil, nil
	}
	parts, err := v.MultipartReader()
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "the form is not one that a browser sends")
	}
	var found []byte
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(part)
		}
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			return nil, api.Refuse(api.CodeTooLarge, "at most %d bytes", large.Limit)
		case err != nil:
			return nil, api.Refuse(api.CodeBadRequest, "the form is not one that a browser sends")
		case part.FormName() == file:
			found = data
		default:
			v.PostForm.Add(part.FormName(), string(data))
		}
	}
}

// listOf is a list that was uploaded, else pasted; nil: neither.
func (v *visit) listOf(pasted, file string) ([]byte, error) {
	data, err := v.readUpload(file)
	if err != nil || len(data) > 0 {
		return data, err
	}
	return []byte(v.form(pasted)), nil
}
