package detect

// Doubt is a reason not to trust what a capture seems to say.
type Doubt uint16

const (
	// FlagsOnly: a filter kept nothing but SYN, FIN and RST segments.
	FlagsOnly Doubt = 1 << iota
	// OneDirection: most connections show one of their directions only.
	OneDirection
	// Missed: the capture lost packets: the source says so, or octets were
	// acknowledged that were never seen.
	Missed
	// CutHeaders: the snap length cut TCP headers; options are unknown.
	CutHeaders
	// Backwards: time runs backwards.
	Backwards
	// Damaged: the file is truncated or damaged: its end is not the end.
	Damaged
	// Copied: packets were captured more than once.
	Copied
	// Late: many connections began before the capture.
	Late
	// Offloaded: segmentation offload: segments are not those of the wire.
	Offloaded
)

// doubtWords say why a finding was withheld or lowered.
var doubtWords = []struct {
	Doubt
	words string
}{
	{FlagsOnly, "the capture holds only SYN, FIN and RST segments"},
	{OneDirection, "most connections were captured in one direction only"},
	{Missed, "the capture lost packets"},
	{CutHeaders, "the snap length cut TCP headers"},
	{Backwards, "the capture's time runs backwards"},
	{Damaged, "the file is damaged"},
	{Copied, "packets were captured more than once"},
	{Late, "many connections began before the capture"},
	{Offloaded, "segmentation offload joined segments"},
}

// Reasons puts all of the doubts into words.
func (d Doubt) Reasons() []string {
	var l []string
	for _, w := range doubtWords {
		if d&w.Doubt != 0 {
			l = append(l, w.words)
		}
	}
	return l
}

// words names the first of the doubts.
func (d Doubt) words() string {
	if l := d.Reasons(); len(l) > 0 {
		return l[0]
	}
	return ""
}
