/// Text inside HTML or SVG.
public enum HTML {
    /// Safe as an element's content and as a quoted attribute. Control characters, which XML does not know, are left out.
    public static func escape(_ text: String) -> String {
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count)
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
        return escaped
    }

    /// A table whose first column names the row.
    static func table(_ rows: [(String, String)]) -> String {
        let rows = rows.map { "<tr><th>\(escape($0.0))</th><td>\(escape($0.1))</td></tr>" }
        return rows.isEmpty ? "" : "<table class=\"facts\">\(rows.joined())</table>"
    }
}
