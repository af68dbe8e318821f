package page

import "strconv"

// stateNames are the states in the order of RFC 9293, section 3.3.2, CLOSED first. The
// place of a name is that of its colour and of its kind of line in page.css.
var stateNames = [...]string{"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"}

// stateClasses are the classes of the style by the name of the state.
var stateClasses = func() map[string]string {
	m := make(map[string]string)
	for i, n := range stateNames {
		m[n] = "s" + strconv.Itoa(i)
	}
	return m
}()

// Class is the class of the style that the state has.
func (s State) Class() string { return stateClass(s.Name) }

func stateClass(name string) string {
	if c, ok := stateClasses[name]; ok {
		return c
	}
	return "sx"
}

// confirmed reports whether the state is beyond doubt.
func (s State) confirmed() bool { return s.Certainty == "confirmed" || s.Certainty == "" }

// String writes the state with ? if it is presumed and ~ if it elapsed, as the other
// outputs do.
func (s State) String() string {
	switch s.Certainty {
	case "presumed":
		return s.Name + "?"
	case "elapsed":
		return s.Name + "~"
	}
	return s.Name
}
