package console

import "strings"

// What browsers and systems are called, and how they call themselves. Each claims to
// be others, too: the first that fits is right.
var (
	browserWords = [][2]string{{"Edge", "Edg"}, {"Opera", "OPR/"}, {"Samsung Internet", "SamsungBrowser/"}, {"Firefox", "Firefox/"}, {"Firefox", "FxiOS/"}, {"Chrome", "Chrome/"}, {"Chrome", "CriOS/"}, {"Safari", "Safari/"}}
	systemWords  = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows NT"}, {"ChromeOS", "CrOS"}, {"macOS", "Macintosh"}, {"Linux", "Linux"}}
)

// maxBrowserName bounds what is shown of a browser that calls itself otherwise.
const maxBrowserName = 60

// browserName says which browser on which system it is, by what it calls itself, which
// may be anything.
func browserName(agent string) string {
	var names []string
	for _, words := range [][][2]string{browserWords, systemWords} {
		for _, w := range words {
			if strings.Contains(agent, w[1]) {
				names = append(names, w[0])
				break
			}
		}
	}
	switch {
	case len(names) == 2:
		return names[0] + ", " + names[1]
	case agent == "":
		return "–"
	case len(agent) > maxBrowserName:
		return strings.ToValidUTF8(agent[:maxBrowserName], "") + "…"
	}
	return agent
}
