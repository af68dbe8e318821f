// Package screen shows a live capture on a terminal: a census of states with their
// history, the findings that hold, the connections, and the ladder of one of them.
//
// It looks at snapshots (report.Snapshot) at its own pace and asks for what it wants to
// see next; nothing that happens here can hold up the capture. All text passes
// line.add, which makes it printable, and is cut by the columns that it takes, so that
// no line is wider than the terminal.
package screen
