// Package verdict tells what a run in continuous integration comes to: which captures were
// judged, what was asked of each, what failed, and which frames prove it. It tells people
// (table, markdown) and machines (JSON, JUnit, SARIF, commands of GitHub's runner).
//
// A Run is neutral: `tcpstate check` fills it from a policy's verdict, `tcpstate diff`
// from two captures. What each output makes of it depends on nothing else.
//
// Text in a Run may come from the network or be the name of a file. It is kept as it
// is; each output escapes it for where it goes.
package verdict
