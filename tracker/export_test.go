package tracker

// TableRow is one step of a cell of the two tables.
type TableRow struct {
	Table    string // sends or receives
	From, To State
	Rule     Rule
}

// TableRows lists what the two tables hold, for the test that wants a ladder
// for each.
func TableRows() (rows []TableRow) {
	add := func(table string, from State, c cell) {
		for _, p := range c {
			if p.rule == RuleNone {
				break
			}
			rows = append(rows, TableRow{table, from, p.to, p.rule})
			from = p.to
		}
	}
	for s := range NumStates {
		for _, c := range sends[s] {
			add("sends", s, c)
		}
		for _, c := range receives[s] {
			add("receives", s, c)
		}
	}
	return rows
}

// Folded is how many lives are folded.
func (t *Tracker) Folded() int { return t.table.residues.inUse() + t.table.stubs.inUse() }

// Numbers is numbers.
type Numbers struct{ n numbers }

// NewNumbers returns one without streams.
func NewNumbers() *Numbers { return &Numbers{} }

// Begin and Of are begin and of.
func (n *Numbers) Begin(frame uint64)     { n.n.begin(frame) }
func (n *Numbers) Of(frame uint64) uint64 { return n.n.of(frame) }

// Sketched is how many lives are sketches, where there is one worker.
func (p *Parallel) Sketched() int {
	if !p.alone {
		return 0
	}
	return p.workers[0].table.sketches.inUse()
}
