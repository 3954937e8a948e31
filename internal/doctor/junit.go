package doctor

import (
	"encoding/xml"
	"io"
)

// JUnit writes a report as a JUnit file: a case for each check that found nothing, and
// one that failed for each finding.
func (r Report) JUnit(w io.Writer) error {
	suite := junitSuite{Name: "meshctl doctor"}
	for _, one := range r {
		if len(one.Findings) == 0 {
			suite.Cases = append(suite.Cases, junitCase{Class: "doctor", Name: one.ID})
		}
		for _, f := range one.Findings {
			suite.Cases = append(suite.Cases, junitCase{
				Class: "doctor." + f.Check, Name: f.Where,
				Failure: &junitFailure{Message: f.Seen, Type: f.Check, Text: f.Seen + "\n" + f.Why + "\nhint: " + f.Do},
			})
			suite.Failures++
		}
	}
	suite.Tests = len(suite.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(junitSuites{Suites: []junitSuite{suite}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}
