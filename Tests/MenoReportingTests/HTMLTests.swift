import MenoMetrics
import Testing

@testable import MenoReporting

@Suite struct HTMLTests {
    @Test func textIsEscapedAndMarkupIsNot() {
        let name = "<b>\"Tom\" & 'Jerry'\u{7}\n"
        let bold: HTML = "<b class=\"a\">\(name)</b>"
        #expect(bold.text == "<b class=\"a\">&lt;b&gt;&quot;Tom&quot; &amp; &#39;Jerry&#39;\n</b>")
        let items = ["<", "2"].map { item -> HTML in "<li>\(item)</li>" }
        let list: HTML = "<ul>\(items)</ul>\(3)\(bold)\(HTML(verbatim: "<!---->"))"
        #expect(list.text == "<ul><li>&lt;</li><li>2</li></ul>3\(bold.text)<!---->")
        #expect(HTML.table([("a", "<")]).text == "<table class=\"facts\"><tr><th>a</th><td>&lt;</td></tr></table>")
    }

    @Test func durationsHaveTheirTwoLargestUnits() {
        let durations = [0, 45.4, 59.6, 750, 11_100, -1, .nan, .infinity, 1e300]
        #expect(
            durations.map { DurationText.english($0) }.prefix(8)
                == ["0 s", "45 s", "1 min 0 s", "12 min 30 s", "3 h 5 min", "0 s", "0 s", "0 s"])
        #expect(DurationText.english(1e300) == "277777777 h 46 min")
        #expect(DurationText.japanese(3_725) == "1 時間 2 分")
    }
}
