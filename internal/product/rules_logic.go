package product

import (
	"fmt"
	"path/filepath"
	"strings"
)

func (c *checker) inputs() {
	p := c.Product
	names, read := map[string]bool{}, map[PortID]bool{}
	for i, in := range p.Spec.Inputs {
		path := fmt.Sprintf("spec.inputs[%d]", i)
		c.name(path+".name", in.Name)
		if in.Name != "" && names[in.Name] {
			c.add(path+".name", "give each input a name of its own", "two inputs are named %q", in.Name)
		}
		names[in.Name] = true
		if p.Output(in.Name) != nil && in.Name != "" {
			c.add(path+".name", "give the input another name", "an input and an output are both named %q", in.Name)
		}
		c.inputSchema(path, &in)
		if !c.marks.has(path + ".port") {
			continue
		}
		id, err := ParsePort(in.Port)
		if err != nil {
			c.add(path+".port", "", "%v", err)
			continue
		}
		if id.Product == p.Metadata.Name {
			c.add(path+".port", "leave port out to take records published to this product", "the product reads its own port %s", id)
		}
		id.Major = max(id.Major, 1)
		if read[id] {
			c.add(path+".port", "name the port once", "two inputs read port %s", id)
		}
		read[id] = true
	}
	if p.Spec.Logic == nil && len(p.Spec.Inputs) > 0 && !c.marks.of("spec.logic").null {
		c.add("spec.inputs", "add spec.logic, or leave inputs out", "nothing reads the inputs, for the product has no logic")
	}
}

// inputSchema checks that what is published to an input is typed where SQL reads it, and
// nowhere else.
func (c *checker) inputSchema(path string, in *Input) {
	logic := c.Product.Spec.Logic
	published := !c.marks.has(path + ".port")
	sql := logic != nil && logic.SQL != nil
	switch {
	case !published && len(in.Schema) > 0:
		c.add(path+".schema", "leave schema out: the port's own contract holds", "input %s reads a port and has a schema", in.Name)
	case published && sql && (logic.SQL.Mode == ModeTable || logic.SQL.Over != "" && logic.SQL.Over != in.Name):
		c.add(path, "publish it to a product of its own, and read that one's port",
			"SQL logic reads input %s whole, which is published to this product and kept nowhere", in.Name)
	case published && sql && len(in.Schema) == 0:
		c.add(path+".schema", "add the columns of what is published", "SQL logic reads input %s, which has no schema", in.Name)
	}
	c.columns(path+".schema", in.Schema)
}

func (c *checker) logic() {
	s := &c.Product.Spec
	if s.Logic == nil {
		if at, ok := c.marks["spec.logic"]; ok && at.null {
			c.add("spec.logic", "add sql or command, or leave logic out", "logic is empty")
		}
		return
	}
	switch {
	case s.Logic.SQL == nil && s.Logic.Command == nil:
		c.add("spec.logic", "add sql or command", "logic has neither sql nor command")
	case s.Logic.SQL != nil && s.Logic.Command != nil:
		c.add("spec.logic", "keep one of them", "logic has both sql and command")
	}
	if len(s.Inputs) == 0 {
		c.add("spec.inputs", "add an input; one without port takes published records", "logic needs at least one input")
	}
	if len(s.Outputs) > 1 {
		c.add("spec.outputs", "make a product of each output", "logic makes exactly one output, not %d", len(s.Outputs))
	}
	if s.Logic.SQL != nil {
		c.sql(s.Logic.SQL)
	}
	if s.Logic.Command != nil {
		c.command(s.Logic.Command)
	}
}

func (c *checker) sql(sql *SQLLogic) {
	s := &c.Product.Spec
	const path = "spec.logic.sql"
	switch {
	case sql.Query != "" && sql.File != "":
		c.add(path+".file", "keep one of them", "sql has both query and file")
	case sql.File != "" && !filepath.IsLocal(sql.File):
		c.add(path+".file", "name it relative to the product's folder", "file %s is not inside the product's folder", shorten(sql.File))
	case sql.File == "" && strings.TrimSpace(sql.Query) == "" && !c.excused[path+".file"]:
		c.add(path+".query", "write a SELECT whose columns are the output's", "sql has neither query nor file")
	}
	c.oneOf(path+".mode", sql.Mode, modes)
	if sql.Mode == ModeTable && len(s.Outputs) == 1 && s.Outputs[0].Type == Event {
		c.add(path+".mode", "make the output a state port with a key, or use mode batch",
			"mode table needs a state output, for rows change and vanish")
	}
	if sql.Mode == ModeBatch && sql.Over != "" && c.Product.Input(sql.Over) == nil {
		var names []string
		for _, in := range s.Inputs {
			names = append(names, in.Name)
		}
		c.add(path+".over", didYouMean(sql.Over, names), "no input is named %q", shorten(sql.Over))
	}
}

var modes = []string{ModeBatch, ModeTable}

func (c *checker) command(cmd *CommandLogic) {
	const path = "spec.logic.command"
	if len(cmd.Run) == 0 || strings.TrimSpace(cmd.Run[0]) == "" {
		c.add(path+".run", `write a program and its arguments, such as [python3, logic.py]`, "run names no program")
	}
	for i, arg := range cmd.Run {
		if strings.ContainsRune(arg, 0) {
			c.add(fmt.Sprintf("%s.run[%d]", path, i), "", "an argument cannot hold a zero byte")
		}
	}
	for name, value := range cmd.Env {
		if strings.ContainsRune(value, 0) {
			c.add(join(path+".env", name), "", "an environment variable cannot hold a zero byte")
		}
		if name == "" || strings.ContainsAny(name, "=\x00") {
			c.add(join(path+".env", name), "", "%q cannot be the name of an environment variable", name)
		}
	}
}
