package olap

import (
	"cmp"
	"strings"
)

// tableFunctions are those that a FROM may call. A list of what is allowed, because
// others read files, follow pointers, run text as SQL, tell of the engine's files and
// settings, or change the database's state (enable_logging, force_checkpoint) even from a
// SELECT.
var tableFunctions = map[string]bool{
	"unnest": true, "range": true, "generate_series": true, "repeat": true, "repeat_row": true, "summary": true,
	"json_each": true, "json_tree": true, "pg_timezone_names": true,
	"duckdb_columns": true, "duckdb_functions": true, "duckdb_keywords": true, "duckdb_schemas": true,
	"duckdb_tables": true, "duckdb_types": true, "pragma_version": true,
}

// tablesByText are functions whose first argument is a table's name.
var tablesByText = map[string]bool{"histogram": true, "histogram_values": true, "pragma_table_info": true}

// forbiddenFunctions are those that an expression may not call: they tell of settings and
// files, or keep something of a statement for whoever has the connection next.
// TestFunctionsThatAreNotPureWereLookedAt fails when an engine has others.
var forbiddenFunctions = map[string]bool{
	"current_setting": true, "getvariable": true, "getenv": true,
	"write_log": true, "setseed": true, "nextval": true, "currval": true,
	"sleep_ms": true, "pg_sleep": true, // they cannot be interrupted
}

// systemTables are the views of the engine's catalog that a statement may read, by
// schema. The others show files, settings, or the text of our own views, which has files.
var systemTables = map[string]map[string]bool{
	"main": {"duckdb_columns": true, "duckdb_constraints": true, "duckdb_schemas": true, "duckdb_tables": true, "duckdb_types": true},
	"information_schema": {
		"character_sets": true, "columns": true, "constraint_column_usage": true, "constraint_table_usage": true,
		"key_column_usage": true, "referential_constraints": true, "schemata": true, "table_constraints": true, "tables": true,
	},
	"pg_catalog": {
		"pg_am": true, "pg_attribute": true, "pg_class": true, "pg_collation": true, "pg_constraint": true, "pg_description": true,
		"pg_enum": true, "pg_namespace": true, "pg_proc": true, "pg_tables": true, "pg_type": true,
	},
}

// shown judges a SHOW: of variables it would tell which files a table has.
func (w *walker) shown(n map[string]any) {
	name, _ := n["table_name"].(string)
	schema, _ := n["schema_name"].(string)
	switch {
	case isOwn(schema):
		w.forbid("the schema " + schema)
	case strings.EqualFold(strings.Trim(name, `"`), "variables"):
		w.forbid("SHOW VARIABLES")
	}
}

// mostSelects is how many SELECTs a statement may have: planning it cannot be
// interrupted, and takes memory that no limit counts.
const mostSelects = 1000

// isOwn says whether a schema is the one that holds what tables are made of.
func isOwn(schema string) bool { return strings.EqualFold(schema, ownSchema) }

func (w *walker) forbid(what string) { w.forbidden = cmp.Or(w.forbidden, what) }

// table notes a table, or forbids it. A name that no table has may still be a file's.
func (w *walker) table(catalog, schema, name string) {
	lower := strings.ToLower(name)
	views, system := systemTables[cmp.Or(strings.ToLower(schema), "main")]
	switch {
	case strings.EqualFold(catalog, "system") || strings.EqualFold(catalog, "temp"):
		w.forbid("the catalog " + catalog)
	case isOwn(schema):
		w.forbid("the schema " + schema)
	case strings.ContainsAny(catalog+schema+name, `/\:*?.`):
		w.forbid("the file " + name)
	case system && !views[lower] && (isSystem(lower) || schema != "" && !strings.EqualFold(schema, "main")):
		w.forbid("the table " + TableRef{schema, name}.String())
	}
	w.refs[TableRef{schema, name}] = true
}

// isSystem says whether a lone name means a view of the engine's catalog.
func isSystem(name string) bool {
	for _, prefix := range []string{"duckdb_", "pragma_", "sqlite_", "pg_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// tableFunction judges a call in FROM; of one that takes a table's name, that is noted.
func (w *walker) tableFunction(n map[string]any) {
	call, _ := n["function"].(map[string]any)
	name, _ := call["function_name"].(string)
	args, _ := call["children"].([]any)
	switch lower := strings.ToLower(name); {
	case tablesByText[lower] && len(args) > 0:
		if parts := nameIn(args[0]); len(parts) == 1 {
			w.table("", "", parts[0])
		} else if len(parts) == 2 {
			w.table("", parts[0], parts[1])
		} else {
			w.forbid("the function " + name + " of what is no table's name")
		}
	case !tableFunctions[lower]:
		w.forbid("the function " + cmp.Or(name, "in FROM"))
	}
}

// nameIn are the parts of the table's name that an argument is: text, or as if it were a column.
func nameIn(arg any) []string {
	node, _ := arg.(map[string]any)
	if columns, ok := node["column_names"].([]any); ok {
		var parts []string
		for _, c := range columns {
			part, _ := c.(string)
			parts = append(parts, part)
		}
		return parts
	}
	value, _ := node["value"].(map[string]any)
	text, _ := value["value"].(string)
	if node["type"] != "VALUE_CONSTANT" || text == "" || strings.Contains(text, `"`) {
		return nil
	}
	return strings.Split(text, ".")
}
