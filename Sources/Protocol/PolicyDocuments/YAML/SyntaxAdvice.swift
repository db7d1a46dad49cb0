// libyaml's complaints in words that say what to change.

/// One sentence for a place where the text stops being YAML.
///
/// - Parameters:
///   - problem: What libyaml says is wrong.
///   - context: What it was reading, "while parsing a block mapping"; may be empty.
///   - contextLine: The line where that began; 0 if there is no context.
///   - character: What stands at the place.
func syntaxAdvice(problem: String, context: String, contextLine: Int, character: Character?) -> String {
    let rest = "; nothing from here on can be read"
    let began = contextLine > 0 ? " (in what begins on line \(contextLine))" : ""
    if context.contains("alias") { return quoteFirst("*") + rest }
    if context.contains("anchor") { return quoteFirst("&") + rest }
    if context.contains("tag") && !context.contains("directive") { return quoteFirst("!") + rest }
    switch problem {
    case "found character that cannot start any token" where character == "\t",
        "found a tab character where an indentation space is expected":
        return "a tab cannot indent a line; use spaces\(rest)"
    case "found character that cannot start any token":
        return quoteFirst(character.map(String.init) ?? "this character") + rest
    case "found a tab character that violates indentation":
        return "a tab cannot indent a line; use spaces\(rest)"
    case "did not find expected node content" where character == ":":
        return quoteFirst(":") + rest
    case "mapping values are not allowed in this context":
        return "a second colon in one line, or a line indented too far; mend the indentation, or put the text in quotes\(rest)"
    case "did not find expected <document start>":
        return "a second document begins here; put a line --- before it (in JSON, make a list of the documents)\(rest)"
    case "did not find expected key", "did not find expected '-' indicator", "could not find expected ':'":
        return "the line does not fit what is around it\(began); mend its indentation, or the colon after the field's name\(rest)"
    case "did not find expected ',' or '}'", "did not find expected ',' or ']'":
        return "a comma or a closing bracket is missing\(began)\(rest)"
    case "found unexpected end of stream":
        return "the text ends too early\(began); close the quotes or brackets\(rest)"
    case "found invalid Unicode character escape code":
        return "is no character (JSON's \\uD800 pairs are not understood); write the character itself\(rest)"
    default:
        return "is not YAML: \(context.isEmpty ? "" : context + began + ", ")\(problem)\(rest)"
    }
}

private func quoteFirst(_ start: String) -> String {
    "text that begins with \(start) must be in quotes, like \"\(start)…\""
}
