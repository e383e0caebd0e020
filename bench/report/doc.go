// Package report turns the JSON files of nearlite bench into one HTML page that
// needs nothing else: no script, no font, no request to anywhere. Each plot is
// inline SVG and can be written as a file of its own, for a README.
//
// What is read is not trusted: [Load] refuses what is no report with an error
// that names the file, and the page is made by html/template, so that a file's
// strings stay text.
package report
