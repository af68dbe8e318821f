package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

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
	stateWords     = vocabulary{"a state", namesOf(0, tracker.State(tracker.NumStates), tracker.State.String)}
	certaintyWords = vocabulary{"how a state is known", namesOf(0, tracker.Revoked, tracker.Certainty.String)}
	changeWords    = vocabulary{"how a state is known", namesOf(0, tracker.Revoked+1, tracker.Certainty.String)}
	roleWords      = vocabulary{"why the client is taken for the client", namesOf(0, tracker.RoleSyn+1, tracker.RoleReason.String)}
	closeWords     = vocabulary{"a kind of close", namesOf(0, tracker.NumCloseKinds, tracker.CloseKind.String)}
	resetWords     = vocabulary{"a class of reset", namesOf(tracker.NoReset+1, tracker.NumResetClasses, tracker.ResetClass.String)}
	closerWords    = vocabulary{"who closes", []string{"client", "server", "both"}}
	firstWords     = vocabulary{"who closes", []string{"client", "server", "both", "none"}}
	holderWords    = vocabulary{"who holds TIME-WAIT", []string{"client", "server", "both"}}
	zeekWords      = vocabulary{"a state of Zeek", []string{"S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"}}
	severityWords  = vocabulary{"a severity", namesOf(detect.Note, detect.Error+1, detect.Severity.String)}
	findingWords   = vocabulary{"a finding", findingIDs()}
)

func findingIDs() (l []string) {
	for _, d := range detect.Catalogue {
		l = append(l, d.ID)
	}
	return l
}

// fieldWords are the vocabularies of fields, by how their path ends, or by all of it.
var fieldWords = []struct {
	path string
	all  bool
	of   *vocabulary
}{
	{"client.state", false, &stateWords}, {"server.state", false, &stateWords}, {"from", true, &stateWords}, {"to", true, &stateWords},
	{"client.certainty", false, &certaintyWords}, {"server.certainty", false, &certaintyWords}, {"certainty", true, &changeWords},
	{"close.kind", false, &closeWords}, {"close.reset", false, &resetWords}, {"close.by", false, &closerWords},
	{"roles", false, &roleWords}, {"time_wait.endpoint", false, &holderWords}, {"zeek.conn_state", false, &zeekWords},
	{"severity", false, &severityWords}, {"id", true, &findingWords}, // that of a connection is a number, and compared with no word
}

// keyWords are those of the counts in the summary.
var keyWords = map[string]*vocabulary{
	"close": &closeWords, "closed_first": &firstWords, "resets": &resetWords, "states": &stateWords, "findings": &severityWords,
}

// TermCheck looks at a term of an expression besides, and says what is wrong with it, and
// where; nil if nothing is.
type TermCheck func(ast.Node) (at ast.Node, err error)

// CheckWords refuses an expression, which compiles, if it names words that do not exist, or
// if also, which may be nil, does. The error is an *ExprError.
func CheckWords(src string, also TermCheck) error {
	t, err := parser.Parse(src)
	if err != nil {
		return nil // it was understood in another way
	}
	l := literals{also: also}
	ast.Walk(&t.Node, &l)
	if l.wrong == nil {
		return nil
	}
	e := l.wrong.Bind(file.NewSource(src))
	return &ExprError{Expr: src, Reason: e.Message, Line: e.Line, Column: e.Column + 1}
}

// literals looks through an expression for words that no field has.
type literals struct {
	also  TermCheck
	wrong *file.Error // the first
}

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
			if p := fieldPath(x.Right); p == "findings" || p == "$env.findings" {
				l.known(&findingWords, x.Left)
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
	if l.also == nil || l.wrong != nil {
		return
	}
	if at, err := l.also(*n); err != nil {
		l.wrong = &file.Error{Location: at.Location(), Message: err.Error()}
	}
}

// compared looks at what stands beside a field.
func (l *literals) compared(field, with ast.Node) {
	p := fieldPath(field)
	for _, f := range fieldWords {
		if p != "" && (p == f.path || !f.all && strings.HasSuffix(p, "."+f.path)) {
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
	l.wrong = &file.Error{Location: w.Location(), Message: fmt.Sprintf("%q is not %s, which is one of %s", upTo(w.Value, wordMost), of.what, strings.Join(of.words, ", "))}
}

// wordMost is how much of a word that does not exist is quoted, in characters. The longest
// that exists has half as many.
const wordMost = 60

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
