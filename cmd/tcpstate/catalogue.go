package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// commandFindings is the first word that asks for the catalogue instead of a
// capture. A file of that name is ./findings.
const commandFindings = "findings"

// isCatalogue reports whether the command line is "tcpstate findings ...".
func isCatalogue(f *flags, r *raw, fs *pflag.FlagSet) bool {
	return fs.NArg() > 0 && fs.Arg(0) == commandFindings && len(r.files) == 0 && f.iface == ""
}

// checkCatalogue reads the words after "findings", and refuses flags that say
// nothing about the catalogue.
func checkCatalogue(f *flags, r *raw, fs *pflag.FlagSet) error {
	f.catalogue = true
	var foreign string
	fs.Visit(func(x *pflag.Flag) {
		if foreign == "" && !slices.Contains([]string{"output", "color"}, x.Name) {
			foreign = x.Name
		}
	})
	if foreign != "" {
		return fmt.Errorf("--%s says nothing about the catalogue; a file called findings is ./findings", foreign)
	}
	switch words := fs.Args()[1:]; {
	case len(words) > 1:
		return fmt.Errorf("findings: give one ID, or none for the whole catalogue; a file called findings is ./findings")
	case len(words) == 1 && detect.Find(words[0]) == nil:
		return noFinding(words[0])
	case len(words) == 1:
		f.finding = words[0]
	}
	for _, o := range r.outputs {
		if name, _, _ := strings.Cut(o, "="); name != "table" && name != "json" {
			return fmt.Errorf("-o %s: tcpstate findings prints table or json", name)
		}
	}
	return nil
}

// catalogue is "tcpstate findings [ID]".
func (c *cli) catalogue(f *flags) error {
	list := detect.Catalogue
	if f.finding != "" {
		list = []*detect.Detector{detect.Find(f.finding)}
	}
	outs, files, err := c.openOutputs(f)
	if err != nil {
		return err
	}
	for _, o := range outs {
		text := ""
		switch {
		case o.Format.Name == "json":
			text = string(report.CatalogueJSON(list))
		case f.finding != "":
			text = report.DetectorPage(list[0], o.Color)
		default:
			text = report.CatalogueTable(list, o.Color)
		}
		_, e := io.WriteString(o.W, text)
		err = errors.Join(err, e)
	}
	for _, o := range files {
		if err != nil {
			o.discard()
		} else {
			err = o.commit()
		}
	}
	return quiet(err)
}
