package policy

import (
	"fmt"

	"github.com/expr-lang/expr/vm"

	"tcpstate/report"
	"tcpstate/tracker"
)

// pieceSize is how many connections or transitions make a piece: few enough that their
// records stay in the processor's cache while all assertions look at them.
const pieceSize = 128

// job is one piece, and what it comes to. It is used again once that was gathered.
type job struct {
	lives   []tracker.Life
	ids     [][]string // of their findings
	changes []tracker.Transition
	records []connection
	moves   []transition
	piece   // the same, for the machine
	done    chan struct{}

	matched []int // by assertion
	failed  []int
	failing [][]*report.Record // the first of them
	tallies [][]tally          // by assertion and part
	values  [][]any            // likewise, of those that the machine works out
	err     error

	machine bool // some part is for the machine
	keeps   bool // what the machine makes may hold records
}

func (p *Policy) newJob() *job {
	n := len(p.Assert)
	j := &job{done: make(chan struct{}, 1), matched: make([]int, n), failed: make([]int, n), failing: make([][]*report.Record, n),
		tallies: make([][]tally, n), values: make([][]any, n)}
	for i, a := range p.Assert {
		j.tallies[i], j.values[i] = make([]tally, len(a.program.parts)), make([]any, len(a.program.parts))
		for _, y := range a.program.parts {
			if y != nil && !y.fast() {
				j.machine = true
				j.keeps = j.keeps || y.kind == partList
			}
		}
		if a.program.connections || a.program.transitions {
			j.machine, j.keeps = true, true
		}
	}
	return j
}

// reset makes it ready for another piece.
func (j *job) reset() {
	j.lives, j.ids, j.changes = j.lives[:0], j.ids[:0], j.changes[:0]
	j.Connections, j.Transitions = nil, nil
	if j.keeps {
		j.records, j.moves = nil, nil
	}
	for i := range j.failing {
		j.matched[i], j.failed[i], j.failing[i] = 0, 0, j.failing[i][:0]
		clear(j.values[i])
	}
	j.err = nil
}

// fill makes records of what came.
func (j *job) fill() {
	if cap(j.records) < len(j.lives) {
		j.records = make([]connection, pieceSize)
	}
	j.records = j.records[:len(j.lives)]
	for i := range j.lives {
		(*report.Record)(&j.records[i]).Fill(&j.lives[i])
		j.records[i].Findings = j.ids[i]
	}
	if cap(j.moves) < len(j.changes) {
		j.moves = make([]transition, pieceSize)
	}
	j.moves = j.moves[:len(j.changes)]
	for i := range j.changes {
		j.moves[i].fill(&j.changes[i])
	}
	if !j.machine {
		return
	}
	j.Connections, j.Transitions = make([]*connection, len(j.records)), make([]*transition, len(j.moves))
	for i := range j.records {
		j.Connections[i] = &j.records[i]
	}
	for i := range j.moves {
		j.Transitions[i] = &j.moves[i]
	}
}

// work works out pieces until there are no more.
func (r *Run) work() {
	var m vm.VM
	for j := range r.jobs {
		j.fill()
		for i, a := range r.p.Assert {
			if err := r.judge(&m, j, i, a); err != nil && j.err == nil {
				j.err = fmt.Errorf("assertion %q: %w", a.Name, err)
			}
		}
		j.done <- struct{}{}
	}
}

func (r *Run) judge(m *vm.VM, j *job, i int, a *Assertion) error {
	x := a.program
	for k, y := range x.parts {
		if y == nil {
			continue
		}
		t := &j.tallies[i][k]
		t.begin(y.kind)
		switch {
		case y.lives != nil:
			for n := range j.records {
				y.lives.each(&j.records[n], t)
			}
		case y.changes != nil:
			for n := range j.moves {
				y.changes.each(&j.moves[n], t)
			}
		default:
			v, err := m.Run(y.program, j.piece)
			if err != nil {
				return err
			}
			j.values[i][k] = v
		}
	}
	if a.Each != Connections {
		return nil
	}
	for n := range j.records {
		c := &j.records[n]
		meant, held := true, true
		if x.fast() {
			meant = x.meant == nil || x.meant(c)
			held = meant && x.held(c)
		} else {
			var err error
			if meant, held, err = x.holds(m, c); err != nil {
				return err
			}
		}
		if !meant {
			continue
		}
		j.matched[i]++
		if held {
			continue
		}
		if j.failed[i]++; len(j.failing[i]) < r.failing() && !r.named[i].Load() {
			failed := report.Record(*c)
			j.failing[i] = append(j.failing[i], &failed)
		}
	}
	return nil
}
