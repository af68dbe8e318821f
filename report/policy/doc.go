// Package policy judges what a capture shows by a file of rules: which findings fail,
// which are known and accepted, and what else has to hold of connections, findings,
// transitions and the capture as a whole.
//
// A policy is YAML; the rules in it are expressions over the fields of the JSON records,
// with the same names and the same absences (report.Where). Parse reads it, a Run is
// told what the capture shows, and its Verdict says what failed and which frames prove it.
//
// What is asked of each connection, and what map, filter, count, len, sum, all, any and none
// make of all of them, is worked out as connections come, and they are not kept. Only an
// expression that names connections or transitions in another way, as connections[0], keeps
// them all until the end; and one that asks connections for their findings has them wait for
// the end, when these are known.
package policy
