/// HTML or SVG. A string that is interpolated is escaped, so that no name and no answer can be taken for markup; other HTML is put
/// in as it is.
///
///     let row: HTML = "<tr><th>\(name)</th><td>\(cell)</td></tr>"
package struct HTML: Sendable, Hashable, ExpressibleByStringInterpolation {
    package private(set) var text: String

    package init(stringLiteral text: String) { self.text = text }
    package init(stringInterpolation interpolation: StringInterpolation) { text = interpolation.text }

    /// Markup, a style or a script, as it is.
    package init(verbatim text: String) { self.text = text }

    package var isEmpty: Bool { text.isEmpty }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(2 * literalCapacity) }

        package mutating func appendLiteral(_ literal: String) { text += literal }
        package mutating func appendInterpolation(_ html: HTML) { text += html.text }
        package mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
        package mutating func appendInterpolation(_ text: String) { HTML.append(text, to: &self.text) }
        package mutating func appendInterpolation(_ number: Int) { text += "\(number)" }
    }

    /// Safe as an element's content and as a quoted attribute. Control characters, which XML does not know, are left out.
    private static func append(_ text: String, to escaped: inout String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\n", "\t": escaped.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{7F}": break
            default: escaped.unicodeScalars.append(scalar)
            }
        }
    }

    /// A table whose first column names the row.
    static func table(_ rows: [(String, String)]) -> HTML {
        let rows = rows.map { name, value -> HTML in "<tr><th>\(name)</th><td>\(value)</td></tr>" }
        return rows.isEmpty ? "" : "<table class=\"facts\">\(rows)</table>"
    }
}
