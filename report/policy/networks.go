package policy

import (
	"github.com/expr-lang/expr/ast"

	"tcpstate/report"
)

// checkWords refuses an expression, which compiles, if it names words or networks that do
// not exist. The error is a *report.ExprError.
func checkWords(src string) error { return report.CheckWords(src, checkNetwork) }

// checkNetwork looks at the network of an in_net.
func checkNetwork(n ast.Node) (at ast.Node, err error) {
	x, ok := n.(*ast.CallNode)
	if !ok || len(x.Arguments) != 2 {
		return nil, nil
	}
	if f, ok := x.Callee.(*ast.IdentifierNode); !ok || f.Value != "in_net" {
		return nil, nil
	}
	w, ok := x.Arguments[1].(*ast.StringNode)
	if !ok {
		return nil, nil
	}
	_, err = inNet("", w.Value)
	return w, err
}
