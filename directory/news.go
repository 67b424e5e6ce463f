package directory

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Topic is what news is about.
type Topic string

// The topics.
const (
	TopicDevices        Topic = "devices"
	TopicUsers          Topic = "users"
	TopicKeys           Topic = "keys"
	TopicOrders         Topic = "orders"
	TopicSettings       Topic = "settings"
	TopicPackages       Topic = "packages"
	TopicAudit          Topic = "audit"
	TopicAdministrators Topic = "administrators"
)

// Topics are all of them.
var Topics = []Topic{TopicDevices, TopicUsers, TopicKeys, TopicOrders, TopicSettings, TopicPackages, TopicAudit, TopicAdministrators}

// topicOf is what entries of the audit log are about, by the first word of their
// action or subject.
var topicOf = map[string]Topic{
	"device": TopicDevices, "user": TopicUsers, "key": TopicKeys, "order": TopicOrders, "settings": TopicSettings, "provider": TopicSettings,
	"package": TopicPackages, "administrator": TopicAdministrators, "token": TopicAdministrators, "signin": TopicDevices,
}

// newsPause is how long a subscriber is left alone after news: it hears of
// changes at most four times a second, and of all of them.
const newsPause = 250 * time.Millisecond

// news tells those who look at pages what has changed.
type news struct {
	mu          sync.Mutex
	subscribers map[*subscriber]bool
}

// subscriber is somebody who wants to hear of some topics.
type subscriber struct {
	wants   map[Topic]bool
	pending map[Topic]bool
	wake    chan struct{} // holds one: there is something pending
}

// Subscribe gives what has changed, from now on, by this replica or another,
// topics of those that are named. The channel closes when the context ends or the
// directory closes. Who is slow misses nothing: topics come together then.
func (d *Directory) Subscribe(ctx context.Context, topics ...Topic) <-chan []Topic {
	s := &subscriber{wants: make(map[Topic]bool), pending: make(map[Topic]bool), wake: make(chan struct{}, 1)}
	for _, topic := range topics {
		s.wants[topic] = true
	}
	d.news.mu.Lock()
	if d.news.subscribers == nil {
		d.news.subscribers = make(map[*subscriber]bool)
	}
	d.news.subscribers[s] = true
	d.news.mu.Unlock()
	told := make(chan []Topic)
	d.background.Go(func() {
		defer close(told)
		defer d.news.leave(s)
		for {
			select {
			case <-s.wake:
			case <-ctx.Done():
				return
			case <-d.closing.Done():
				return
			}
			select {
			case told <- d.news.take(s):
			case <-ctx.Done():
				return
			case <-d.closing.Done():
				return
			}
			select {
			case <-time.After(newsPause):
			case <-ctx.Done():
				return
			case <-d.closing.Done():
				return
			}
		}
	})
	return told
}

func (n *news) leave(s *subscriber) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.subscribers, s)
}

// take gives what is pending, in the order of Topics.
func (n *news) take(s *subscriber) (topics []Topic) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, topic := range Topics {
		if s.pending[topic] {
			topics = append(topics, topic)
		}
	}
	clear(s.pending)
	return topics
}

// tell wakes whoever wants to hear of one of the topics.
func (n *news) tell(topics ...Topic) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.subscribers {
		for _, topic := range topics {
			if !s.wants[topic] {
				continue
			}
			s.pending[topic] = true
			select {
			case s.wake <- struct{}{}:
			default: // it is awake
			}
		}
	}
}

// topicsWord begins what replicas tell each other of topics.
const topicsWord = "topics "

// changedTopics are those of a transaction, in the order of Topics.
func (t *transaction) changedTopics() (topics []Topic) {
	changed := make(map[Topic]bool)
	for _, topic := range t.topics {
		changed[topic] = true
	}
	for _, e := range t.entries {
		action, _, _ := strings.Cut(e.Action, ".")
		subject, _, _ := strings.Cut(e.Subject, ":")
		changed[TopicAudit], changed[topicOf[action]], changed[topicOf[subject]] = true, true, true
	}
	for _, n := range t.news {
		if n == newsSettings {
			changed[TopicSettings] = true
		} else {
			changed[TopicDevices] = true
		}
	}
	for _, topic := range Topics {
		if changed[topic] {
			topics = append(topics, topic)
		}
	}
	return topics
}

// topicsText is how replicas tell each other of topics.
func topicsText(topics []Topic) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(topicsWord, " "))
	for _, topic := range topics {
		b.WriteString(" " + string(topic))
	}
	return b.String()
}

// hear takes what another replica tells.
func (d *Directory) hear(text string) {
	list, isTopics := strings.CutPrefix(text, topicsWord)
	if !isTopics {
		d.views.forget(text)
		return
	}
	var topics []Topic
	for word := range strings.FieldsSeq(list) {
		topics = append(topics, Topic(word)) // nobody wants one that a newer replica has
	}
	d.news.tell(topics...)
}
