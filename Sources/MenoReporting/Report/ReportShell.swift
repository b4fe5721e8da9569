/// A page around what a report or a comparison shows, with all that its look needs.
package enum ReportShell {
    /// - Parameters:
    ///   - script: that keeps a live page up to date; a report has none.
    ///   - nonce: that allows the script, where the page is served with a content security policy.
    package static func page(
        title: String, language: ReportLanguage, body: HTML, script: String? = nil, nonce: String = ""
    ) -> String {
        let script: HTML = script.map { "<script nonce=\"\(nonce)\">\(HTML(verbatim: $0))</script>" } ?? ""
        let page: HTML = """
            <!doctype html>
            <html lang="\(language.rawValue)"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title) · Meno</title>
            <style>\(ReportStyle.css)\(SVGChart.style)</style></head>
            <body><div id="live">\(body)</div>\(script)</body></html>

            """
        return page.text
    }
}
