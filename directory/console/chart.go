package console

import (
	"fmt"
	"strings"
	"time"

	"firstday.dev/api"
)

// The chart's size, in its own units: styles give it another.
const (
	chartWidth  = 600
	chartHeight = 200
)

// chart is how devices came over time, as a picture and as figures.
type chart struct {
	Expected, Seen int
	From, Until    time.Time // what the picture shows
	Points         []api.OrderedCount
	Step           time.Duration
}

// newChart makes one from what came until now, in whole hours or days. A picture of an
// order that lasts long ends now, not with the order.
func newChart(p *api.OrderProgress, now time.Time) *chart {
	c := &chart{Expected: p.Expected, Seen: p.Seen, Until: p.Until, Points: p.Points, Step: 24 * time.Hour}
	if p.Step == api.ByHour {
		c.Step = time.Hour
	}
	if now.Before(c.Until) {
		c.Until = now
	}
	if len(c.Points) > 0 && c.Until.Before(c.Points[len(c.Points)-1].Time) { // by another clock
		c.Until = c.Points[len(c.Points)-1].Time
	}
	c.From, c.Until = p.From.Truncate(c.Step), c.Until.Truncate(c.Step).Add(c.Step)
	if !c.Until.After(c.From) {
		c.Until = c.From.Add(c.Step)
	}
	return c
}

// Hours tells that figures are of hours, not of days.
func (c *chart) Hours() bool { return c.Step == time.Hour }

// Box is the picture's size, as SVG has it.
func (c *chart) Box() string { return fmt.Sprintf("0 0 %d %d", chartWidth, chartHeight) }

func (c *chart) x(at time.Time) float64 {
	part := float64(at.Sub(c.From)) / float64(c.Until.Sub(c.From))
	return chartWidth * min(max(part, 0), 1)
}

func (c *chart) y(seen int) float64 {
	return chartHeight - (chartHeight-4)*float64(seen)/float64(max(c.Expected, c.Seen, 1))
}

// Line is the path of what was seen: it rises during each hour or day in which any
// came.
func (c *chart) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %d", chartHeight)
	for _, p := range c.Points {
		fmt.Fprintf(&b, "H%.1fL%.1f %.1f", c.x(p.Time), c.x(p.Time.Add(c.Step)), c.y(p.Seen))
	}
	fmt.Fprintf(&b, "H%d", chartWidth)
	return b.String()
}

// Area is what lies below the line.
func (c *chart) Area() string { return c.Line() + fmt.Sprintf("V%dH0Z", chartHeight) }

// Top is where what is expected lies.
func (c *chart) Top() string { return fmt.Sprintf("M0 %.1fH%d", c.y(c.Expected), chartWidth) }
