# One command of --experimental-dump-help, as man(7).
def text: gsub("\\\\"; "\\e") | gsub("-"; "\\-") | gsub("(?<q>^|\n)(?<c>[.'])"; "\(.q)\\&\(.c)");
def flag: if .kind == "long" then "--" + .name else "-" + .name end;
def value: if .valueName then "\\fI\(.valueName | text)\\fR" else "" end;
def spelling: if .kind == "positional" then value
  else ([.names[] | "\\fB\(flag | text)\\fR"] | join(", ")) + (if .kind == "option" then " " + value else "" end) end;
def synopsis: (if .kind == "positional" then value
    else "\\fB\(.preferredName | flag | text)\\fR" + (if .kind == "option" then " " + value else "" end) end)
  | . as $s | $s;
def entry: ".TP\n\(spelling)\n\(.abstract // "" | text)" +
  (if .allValues and .kind != "flag" and (.allValues | length) > 8 then " One of: \(.allValues | join(", ") | text)." else "" end);
((.superCommands // []) + [.commandName]) as $path | (.arguments // [] | map(select(.shouldDisplay))) as $arguments
| (.subcommands // [] | map(select(.commandName != "help"))) as $subcommands
| [
    ".TH \"\($path | join("-") | ascii_upcase | text)\" \($section) \"\" \"Sallyport\" \"Sallyport\"",
    ".SH NAME", "\($path | join("-") | text) \\- \(.abstract // "" | rtrimstr(".") | text)",
    ".SH SYNOPSIS", "\\fB\($path | join(" ") | text)\\fR" +
      ([$arguments[] | (if .isOptional then "[" else "" end) + synopsis + (if .isRepeating then "..." else "" end)
        + (if .isOptional then "]" else "" end)] | map(" " + .) | join("")) + (if ($subcommands | length) > 0 then " \\fIcommand\\fR" else "" end),
    (if .discussion then ".SH DESCRIPTION", (.discussion | text) else empty end),
    (if ($subcommands | length) > 0 then ".SH COMMANDS",
      ($subcommands[] | . as $sub | ".TP\n\\fB\($path + [$sub.commandName] | join("-") | text)\\fR(1)\n\($sub.abstract // "" | text)") else empty end),
    (if ($arguments | length) > 0 then ".SH OPTIONS", ($arguments[] | entry) else empty end),
    (if $section == "1" then ".SH EXIT STATUS",
      "0 for success; 1 if the command worked and the answer is no; 2 if it could not do its work; 64 for wrong usage." else empty end),
    (if ($path | length) == 1 then ".SH FILES", ".TP\n\\fI/run/sallyport/sallyport.sock\\fR\nThe daemon's control socket." else empty end),
    (if $section == "8" then ".TP\n\\fI/etc/sallyport/sallyportd.yaml\\fR\nSettings.", ".TP\n\\fI/etc/sallyport/plugins.d\\fR\nDrop\\-ins, one for each plugin.",
      ".SH SEE ALSO", "\\fBsallyport\\fR(1), and /usr/share/doc/sallyport/operations.md" else empty end),
    (if ($path | length) > 1 then ".SH SEE ALSO", "\\fB\($path[:-1] | join("-") | text)\\fR(1)" else empty end)
  ] | join("\n")
