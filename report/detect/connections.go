package detect

import "fmt"

// What detectors share whose subject is one connection. Something that is harmless
// may hold for thousands of them: each has a finding of its own up to ownFindings
// of them, and the rest are told of together.

// ownFindings is how many connections have a finding of their own.
const ownFindings = 20

// fewer leaves the first groups alone and joins the others to one, where there
// are more than ownFindings. It keeps the name of the first that it joins.
func fewer[K comparable, V any](all []*Group[K, V]) []*Group[K, V] {
	if len(all) <= ownFindings {
		return all
	}
	rest := all[ownFindings-1]
	for _, g := range all[ownFindings:] {
		rest.Items = append(rest.Items, g.Items...)
		rest.More += g.More
	}
	return all[:ownFindings]
}

// others says how many more connections the finding stands for.
func others(f *Finding) string {
	if f.Count == 1 {
		return ""
	}
	return fmt.Sprintf(" The same holds for %s, counted here.", plural(f.Count-1, "other connection"))
}
