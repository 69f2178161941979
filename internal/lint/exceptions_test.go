package lint

// longFiles are files of more than 500 lines, each with its reason.
var longFiles = map[string]string{}
