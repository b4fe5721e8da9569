internal import Foundation

/// Draws a chart as SVG. Colors and fonts come from the classes in ``style``, so that a chart is readable on light and
/// dark ground, in a page or alone.
struct SVGChart {
    private static let size = (width: 460.0, height: 250.0)
    private static let margin = (left: 52.0, right: 14.0, top: 30.0, bottom: 46.0)

    private let chart: Chart
    private let x: Scale
    private let y: Scale
    /// The chart's, where some of it can be seen.
    private let visibleBand: Chart.Band?

    init(_ chart: Chart) {
        self.chart = chart
        x = Scale([chart.steps.lowerBound, chart.steps.upperBound], isTight: true)
        let values = chart.lines.flatMap { $0.points.map(\.y) } + chart.marks.flatMap { $0.points.map(\.y) }
        // A band far away from the values would flatten them; one that is near is seen whole.
        var seen = values
        if let band = chart.band, let low = values.min(), let high = values.max() {
            let reach = max(high - low, 1e-9) * 2
            seen += [band.range.lowerBound, band.range.upperBound].filter { $0 > low - reach && $0 < high + reach }
        }
        let scale = Scale(seen, isLogarithmic: chart.isLogarithmic)
        y = scale
        visibleBand = chart.band.flatMap { $0.range.overlaps(scale.range) ? $0 : nil }
    }

    /// For a page that has ``style``.
    var inline: HTML { element(attributes: "") }

    /// A file of its own.
    var file: HTML {
        element(attributes: #" xmlns="http://www.w3.org/2000/svg" width="920" height="500""#, style: Self.style)
    }

    private func element(attributes: HTML, style: HTML = "") -> HTML {
        let style: HTML =
            style.isEmpty ? "" : "<style>\(style)</style><rect class=\"ground\" width=\"100%\" height=\"100%\"/>"
        let label = chart.title
        return """
            <svg class="chart" viewBox="0 0 \(number(Self.size.width)) \(number(Self.size.height))" role="img" \
            aria-label="\(label)"\(attributes)>\(style)
            <text class="title" x="\(number(Self.margin.left))" y="18">\(label)\
            <tspan class="unit" dx="6">\(chart.unit)</tspan></text>
            \(spans)\(band)\(axes)\(lines)\(marks)\(legend)
            </svg>
            """
    }

    // MARK: Places

    private var inner: (width: Double, height: Double) {
        (
            Self.size.width - Self.margin.left - Self.margin.right,
            Self.size.height - Self.margin.top - Self.margin.bottom
        )
    }

    private func left(_ value: Double) -> Double { Self.margin.left + inner.width * x.position(value) }
    private func top(_ value: Double) -> Double { Self.margin.top + inner.height * (1 - y.position(value)) }
    private func number(_ value: Double) -> String { String(format: "%.1f", value) }

    // MARK: Parts

    private var axes: HTML {
        let (bottom, right) = (Self.margin.top + inner.height, Self.margin.left + inner.width)
        let horizontal = y.ticks.map { tick -> HTML in
            let at = number(top(tick))
            return """
                <line class="grid" x1="\(number(Self.margin.left))" x2="\(number(right))" y1="\(at)" y2="\(at)"/>\
                <text class="tick" x="\(number(Self.margin.left - 6))" y="\(number(top(tick) + 4))" text-anchor="end">\
                \(Scale.label(tick))</text>
                """
        }
        let vertical = x.ticks.filter { $0 == $0.rounded() }.map { tick -> HTML in
            let label = Scale.label(tick)
            // Half of a long number at the end would be outside.
            let isAtEnd = left(tick) + 3.2 * Double(label.count) > Self.size.width - 2
            return """
                <text class="tick" x="\(number(isAtEnd ? Self.size.width - 2 : left(tick)))" y="\(number(bottom + 15))" \
                text-anchor="\(isAtEnd ? "end" : "middle")">\(label)</text>
                """
        }
        let base: HTML = """
            <line class="axis" x1="\(number(Self.margin.left))" x2="\(number(right))" y1="\(number(bottom))" \
            y2="\(number(bottom))"/>
            """
        return "\(horizontal)\(vertical)\(base)"
    }

    private var lines: HTML {
        let lines = chart.lines.map { line -> HTML in
            let points = line.points.filter { $0.y.isFinite }
            let dots = points.map { point -> HTML in
                """
                <circle class="dot c\(line.color)" cx="\(number(left(point.x)))" cy="\(number(top(point.y)))" r="2.6">\
                <title>\(line.name) \(Scale.label(point.x)): \(String(format: "%.6g", point.y))</title></circle>
                """
            }
            let path = points.map { "\(number(left($0.x))),\(number(top($0.y)))" }.joined(separator: " ")
            let stroke: HTML =
                points.count > 1 && !path.isEmpty
                ? #"<polyline class="line \#(line.style.rawValue) c\#(line.color)" points="\#(path)"/>"# : ""
            return "\(stroke)\(line.style == .dots || points.count == 1 ? dots : [])"
        }
        return "\(lines)"
    }

    private var band: HTML {
        guard let band = visibleBand else { return "" }
        let (high, low) = (top(band.range.upperBound), top(band.range.lowerBound))
        return """
            <rect class="band" x="\(number(Self.margin.left))" width="\(number(inner.width))" y="\(number(high))" \
            height="\(number(max(1, low - high)))"><title>\(band.name)</title></rect>
            """
    }

    private var spans: HTML {
        let spans = chart.spans.map { span -> HTML in
            let (from, to) = (left(span.range.lowerBound), left(span.range.upperBound))
            return """
                <rect class="span\(span.isCritical ? " critical" : "")" x="\(number(from))" \
                width="\(number(max(3, to - from)))" y="\(number(Self.margin.top))" height="\(number(inner.height))">\
                <title>\(span.title)</title></rect>
                """
        }
        return "\(spans)"
    }

    private var marks: HTML {
        let marks = chart.marks.flatMap { mark in
            mark.points.filter { $0.y.isFinite }.map { point -> HTML in
                let (cx, cy) = (left(point.x), top(point.y))
                return shape(mark.shape, cx, cy, "<title>\(point.title)</title>")
            }
        }
        return "\(marks)"
    }

    private func shape(_ shape: Chart.Mark.Shape, _ cx: Double, _ cy: Double, _ title: HTML = "") -> HTML {
        switch shape {
        case .ring: return #"<circle class="ring" cx="\#(number(cx))" cy="\#(number(cy))" r="6">\#(title)</circle>"#
        case .star:
            let corners = (0..<10).map { corner -> String in
                let (angle, radius) = (Double(corner) * .pi / 5, corner % 2 == 0 ? 6.5 : 2.8)
                return "\(number(cx + radius * sin(angle))),\(number(cy - radius * cos(angle)))"
            }
            return #"<polygon class="star" points="\#(corners.joined(separator: " "))">\#(title)</polygon>"#
        }
    }

    /// One line at the foot; names are measured roughly, a wide character as two narrow ones.
    private var legend: HTML {
        var at = Self.margin.left
        let base = Self.size.height - 10
        var parts: [HTML] = []
        func add(_ sign: HTML, _ name: String) {
            parts.append(sign)
            parts.append(
                #"<text class="legend" x="\#(number(at + 18))" y="\#(number(base))">\#(name)</text>"#)
            at += 30 + name.unicodeScalars.reduce(0) { $0 + ($1.value < 0x2000 ? 5.6 : 11) }
        }
        for line in chart.lines where !line.points.isEmpty && !line.name.isEmpty {
            let y = number(base - 4)
            add(
                """
                <line class="line \(line.style == .faint ? "faint" : "solid") c\(line.color)" x1="\(number(at))" \
                x2="\(number(at + 13))" y1="\(y)" y2="\(y)"/>
                """, line.name)
        }
        for mark in chart.marks where !mark.points.isEmpty {
            add(shape(mark.shape, at + 7, base - 4), mark.name)
        }
        if let band = visibleBand {
            add(
                #"<rect class="band" x="\#(number(at))" width="13" y="\#(number(base - 9))" height="10"/>"#, band.name)
        }
        return "\(parts)"
    }

    /// The look of every chart, on light and dark ground.
    static let style: HTML = """
        .chart{--c0:#2563eb;--c1:#d97706;--c2:#059669;--c3:#7c3aed;--c4:#db2777;--c5:#64748b;--ink:#1f2937;--soft:#6b7280;\
        --rule:#e5e7eb;--good:#10b981;--bad:#dc2626;--warn:#f59e0b;--paper:#fff;font:12px system-ui,sans-serif}
        @media (prefers-color-scheme:dark){.chart{--c0:#60a5fa;--c1:#fbbf24;--c2:#34d399;--c3:#a78bfa;--c4:#f472b6;\
        --c5:#94a3b8;--ink:#e5e7eb;--soft:#9ca3af;--rule:#374151;--paper:#111827}}
        .chart text{fill:var(--soft)}.chart .title{fill:var(--ink);font-size:14px;font-weight:600}
        .chart .unit{fill:var(--soft);font-size:11px;font-weight:400}.chart .tick,.chart .legend{font-size:11px}
        .chart .ground{fill:var(--paper)}.chart .grid{stroke:var(--rule)}.chart .axis{stroke:var(--soft)}
        .chart .line{fill:none;stroke-width:1.8;stroke-linejoin:round}.chart .faint{stroke-width:1;opacity:.35}
        .chart .band{fill:var(--good);opacity:.14}.chart .span{fill:var(--warn);opacity:.16}
        .chart .critical{fill:var(--bad)}.chart .star{fill:var(--good);stroke:var(--paper)}
        .chart .ring{fill:none;stroke:var(--bad);stroke-width:2}
        .chart .c0{stroke:var(--c0)}.chart .c1{stroke:var(--c1)}.chart .c2{stroke:var(--c2)}.chart .c3{stroke:var(--c3)}
        .chart .c4{stroke:var(--c4)}.chart .c5{stroke:var(--c5)}
        .chart .dot.c0{fill:var(--c0)}.chart .dot.c1{fill:var(--c1)}.chart .dot.c2{fill:var(--c2)}
        .chart .dot.c3{fill:var(--c3)}.chart .dot.c4{fill:var(--c4)}.chart .dot.c5{fill:var(--c5)}
        """
}
