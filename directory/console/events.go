package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	s, err := c.directory.ConsoleSession(r)
	if err != nil {
		// 204 tells the browser not to come again by itself.
		w.WriteHeader(http.StatusNoContent)
		return
	}
	wanted := topicsOf(r)
	// Of administrators it always hears: that is how sessions end.
	told := c.directory.Subscribe(r.Context(), append(wanted, directory.TopicAdministrators)...)
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	say := func(format string, args ...any) bool {
		_ = control.SetWriteDeadline(time.Now().Add(eventTime))
		_, err := fmt.Fprintf(w, format, args...)
		err = errors.Join(err, control.Flush())
		_ = control.SetWriteDeadline(time.Time{}) // or HTTP/2 ends a stream that is quiet
		return err == nil
	}
	if !say("retry: 2000\n\n") {
		return
	}
	over := func() bool {
		now, err := c.directory.ConsoleSession(r)
		return err != nil || now.ID != s.ID
	}
	still := time.NewTicker(eventPause)
	defer still.Stop()
	for {
		select {
		case changed, open := <-told:
			if !open {
				return
			}
			if slices.Contains(changed, directory.TopicAdministrators) && over() {
				say("event: over\ndata: \n\n")
				return
			}
			if words := shared(changed, wanted); words != "" && !say("event: changed\ndata: %s\n\n", words) {
				return
			}
		case <-still.C:
			if over() {
				say("event: over\ndata: \n\n")
				return
			}
			if !say(": still here\n\n") {
				return
			}
		}
	}
}

// topicsOf are those that a request names, of those that there are.
func topicsOf(r *http.Request) (topics []directory.Topic) {
	named := strings.Fields(r.URL.Query().Get("topics"))
	for _, topic := range directory.Topics {
		if slices.Contains(named, string(topic)) {
			topics = append(topics, topic)
		}
	}
	return topics
}

// shared names the topics that are in both lists.
func shared(changed, wanted []directory.Topic) string {
	var words []string
	for _, topic := range changed {
		if slices.Contains(wanted, topic) {
			words = append(words, string(topic))
		}
	}
	return strings.Join(words, " ")
}
