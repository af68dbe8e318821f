// Package compare says what is different between two captures: which findings came and
// went, how connections ended, in which states, how long their handshakes took, as a whole
// and of each service.
//
// A Side is what is compared of one capture. It comes from the report of a capture that is
// analysed now (Format), or from one that was written before (Read). Compare puts two of
// them side by side; it knows nothing of where they come from.
//
// Two rules make the difference useful. What has no meaning beyond one capture does not
// tell subjects apart: see pairing in match.go. And a number that differs no more than chance
// explains is not marked: see chance.go.
package compare
