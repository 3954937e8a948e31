// Package templates holds the scaffold files that meshctl init renders, one folder a
// template. A folder's template.yaml describes it; files that end in .tmpl are
// text/template, and lose that ending.
package templates

import "embed"

//go:embed all:event all:state all:object all:sql all:command all:command-go all:file
var files embed.FS

// Files is the folder of templates.
func Files() embed.FS { return files }
