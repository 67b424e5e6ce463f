package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"firstday.dev/directory"
)

const (
	// eventPause is how often a stream says that it is still there.
	eventPause = 20 * time.Second
	// eventTime is how long a browser may take to read a piece.
	eventTime = 10 * time.Second
)

// events is a stream of server-sent events: what has changed of the topics that are
// named. It ends with the session.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	protect(header, false)
	s, err := c.sessions.ConsoleSession(r)
	if err != nil {
		// 204 tells the browser not to come again by itself.
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var topics []directory.Topic
	for word := range strings.FieldsSeq(r.URL.Query().Get("topics")) {
		if len(topics) < len(directory.Topics) {
			topics = append(topics, directory.Topic(word))
		}
	}
	told := c.directory.Subscribe(r.Context(), topics...)
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	say := func(format string, args ...any) bool {
		_ = control.SetWriteDeadline(time.Now().Add(eventTime))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && control.Flush() == nil
	}
	if !say("retry: 2000\n\n") {
		return
	}
	still := time.NewTicker(eventPause)
	defer still.Stop()
	for {
		select {
		case changed, open := <-told:
			if !open {
				return
			}
			words := make([]string, len(changed))
			for i, topic := range changed {
				words[i] = string(topic)
			}
			if !say("event: changed\ndata: %s\n\n", strings.Join(words, " ")) {
				return
			}
		case <-still.C:
			if now, err := c.sessions.ConsoleSession(r); err != nil || now.ID != s.ID {
				say("event: over\ndata: \n\n")
				return
			}
			if !say(": still here\n\n") {
				return
			}
		}
	}
}
