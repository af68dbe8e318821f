package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// A misspelt word is no error of type: client.state != "CLOSE_WAIT" would hold of all there
// is, and nobody would notice. So where a field has but certain words, what it is compared
// with has to be one of them; and so have the keys of the counts in the summary.

// vocabulary is the words of one kind.
type vocabulary struct {
	what  string // "a state"
	words []string
}

func namesOf[N ~uint8](from, to N, name func(N) string) (l []string) {
	for n := from; n < to; n++ {
		l = append(l, name(n))
	}
	return l
}

var (
	stateWords    = vocabulary{"a state", namesOf(0, tracker.State(tracker.NumStates), tracker.State.String)}
	closeWords    = vocabulary{"a kind of close", namesOf(0, tracker.NumCloseKinds, tracker.CloseKind.String)}
	resetWords    = vocabulary{"a class of reset", namesOf(tracker.NoReset+1, tracker.NumResetClasses, tracker.ResetClass.String)}
	closerWords   = vocabulary{"who closes", []string{"client", "server", "both"}}
	firstWords    = vocabulary{"who closes", []string{"client", "server", "both", "none"}}
	severityWords = vocabulary{"a severity", namesOf(detect.Note, detect.Error+1, detect.Severity.String)}
	findingWords  = vocabulary{"a finding", findingIDs()}
)

func findingIDs() (l []string) {
	for _, d := range detect.Catalogue {
		l = append(l, d.ID)
	}
	return l
}

// fieldWords are the vocabularies of fields, by how their path ends.
var fieldWords = []struct {
	path string
	of   *vocabulary
}{
	{"client.state", &stateWords}, {"server.state", &stateWords}, {"from", &stateWords}, {"to", &stateWords},
	{"close.kind", &closeWords}, {"close.reset", &resetWords}, {"close.by", &closerWords}, {"severity", &severityWords},
	{"id", &findingWords}, // that of a connection is a number, and compared with no word
}

// keyWords are those of the counts in the summary.
var keyWords = map[string]*vocabulary{
	"close": &closeWords, "closed_first": &firstWords, "resets": &resetWords, "states": &stateWords, "findings": &severityWords,
}

// literals looks through an expression for words that no field has.
type literals struct{ wrong *file.Error }

func (l *literals) Visit(n *ast.Node) {
	switch x := (*n).(type) {
	case *ast.BinaryNode:
		switch x.Operator {
		case "==", "!=":
			l.compared(x.Left, x.Right)
			l.compared(x.Right, x.Left)
		case "in":
			if list, ok := x.Right.(*ast.ArrayNode); ok {
				for _, e := range list.Nodes {
					l.compared(x.Left, e)
				}
			}
			if fieldPath(x.Right) == "findings" {
				l.known(&findingWords, x.Left)
			}
		}
	case *ast.CallNode:
		if f, ok := x.Callee.(*ast.IdentifierNode); ok && f.Value == "in_net" && len(x.Arguments) == 2 {
			if w, ok := x.Arguments[1].(*ast.StringNode); ok && l.wrong == nil {
				if _, err := inNet("", w.Value); err != nil {
					l.wrong = &file.Error{Location: w.Location(), Message: err.Error()}
				}
			}
		}
	case *ast.MemberNode:
		switch whole, key, _ := strings.Cut(fieldPath(x.Node), "."); whole {
		case "capture", "summary":
			if of := keyWords[key]; of != nil {
				l.known(of, x.Property)
			}
		}
	}
}

// compared looks at what stands beside a field.
func (l *literals) compared(field, with ast.Node) {
	p := fieldPath(field)
	for _, f := range fieldWords {
		if p != "" && (p == f.path || strings.HasSuffix(p, "."+f.path) && f.path != "from" && f.path != "to" && f.path != "id") {
			l.known(f.of, with)
			return
		}
	}
}

// known complains of a word that is none of the vocabulary; "" is no word.
func (l *literals) known(of *vocabulary, n ast.Node) {
	w, ok := n.(*ast.StringNode)
	if !ok || w.Value == "" || slices.Contains(of.words, w.Value) || l.wrong != nil {
		return
	}
	l.wrong = &file.Error{Location: w.Location(), Message: fmt.Sprintf("%q is not %s, which is one of %s", w.Value, of.what, strings.Join(of.words, ", "))}
}

// fieldPath is a chain of fields, without the element that they belong to; "" if it is
// something else.
func fieldPath(n ast.Node) string {
	switch x := n.(type) {
	case *ast.ChainNode:
		return fieldPath(x.Node)
	case *ast.IdentifierNode:
		return x.Value
	case *ast.MemberNode:
		name, ok := x.Property.(*ast.StringNode)
		if !ok {
			return ""
		}
		switch at := x.Node.(type) {
		case *ast.PointerNode:
			return name.Value
		case *ast.MemberNode:
			if _, index := at.Property.(*ast.IntegerNode); index { // connections[0].close.kind
				return name.Value
			}
		}
		if p := fieldPath(x.Node); p != "" {
			return p + "." + name.Value
		}
	}
	return ""
}

// checkWords refuses an expression, which compiles, if it names words that do not exist.
// The error is a *report.ExprError.
func checkWords(src string) error {
	t, err := parser.Parse(src)
	if err != nil {
		return nil // it was understood in another way
	}
	var l literals
	ast.Walk(&t.Node, &l)
	if l.wrong == nil {
		return nil
	}
	e := l.wrong.Bind(file.NewSource(src))
	return &report.ExprError{Expr: src, Reason: e.Message, Line: e.Line, Column: e.Column + 1}
}
