package screen

import (
	"strings"
	"time"

	"tcpstate/report"
)

// time shows a moment as the clock of the options does, but in whole seconds and without
// the date: who looks on knows the day.
func (m *model) time(t time.Time) string {
	text := m.opt.Clock.Show(t, m.snap.Began, m.opt.Zone)
	switch m.opt.Clock {
	case report.ClockUTC, report.ClockLocal:
		_, rest, _ := strings.Cut(text, " ")
		hms, zone, _ := strings.Cut(rest, ".")
		_, zone, _ = strings.Cut(zone, " ")
		if m.opt.Clock == report.ClockUTC {
			zone = "UTC"
		}
		return hms + " " + zone
	}
	whole, _, _ := strings.Cut(text, ".")
	return whole + " s"
}
