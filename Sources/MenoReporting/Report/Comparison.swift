internal import Foundation
internal import MenoMetrics

/// Several runs side by side: a table of where they stand, and their curves in the same charts.
package struct Comparison {
    private let runs: [(name: String, run: RunRecord)]
    private let text: ReportLanguage
    private let link: (String) -> String

    /// A chart has so many colors.
    private static let limit = 6

    /// - Parameter link: the address of a run's own page.
    package init(_ runs: [(name: String, run: RunRecord)], language: ReportLanguage, link: @escaping (String) -> String)
    {
        self.runs = runs
        text = language
        self.link = link
    }

    package var body: HTML {
        let title = text("Runs", "実行一覧")
        guard !runs.isEmpty else {
            return
                "<header><h1>\(title)</h1></header><main><p>\(text("There is no run here yet.", "まだ実行がありません。"))</p></main>"
        }
        let charts = self.charts.filter { !$0.isEmpty }.map { chart -> HTML in
            "<figure>\(SVGChart(chart).inline)</figure>"
        }
        return """
            <header><h1>\(title)</h1></header><main>\(table)\
            <section><h2>\(text("Side by side", "比較"))</h2>\(note)<div class="charts">\(charts)</div></section></main>
            """
    }

    private var note: HTML {
        guard runs.count > Self.limit else { return "" }
        let sentence = text(
            "The curves show the first \(Self.limit) runs in the table.", "曲線は表の最初の \(Self.limit) 件のものです。")
        return "<p>\(sentence)</p>"
    }

    /// A name that fits a legend: names of runs often differ at their ends.
    private static func short(_ name: String) -> String {
        name.count <= 16 ? name : "\(name.prefix(7))…\(name.suffix(8))"
    }

    private var table: HTML {
        let rows = runs.map { name, run -> HTML in
            let summary = run.summary
            let total = run.description.map { $0.totalSteps > 0 ? " / \($0.totalSteps)" : "" } ?? ""
            let cells = [
                run.state(text), "\(summary.steps)\(total)",
                summary.finalEvaluationLoss.map { String(format: "%.4f", $0) } ?? "",
                summary.finalPerplexity.map { String(format: "%.2f", $0) } ?? "", "\(run.alerts.count)",
            ]
            return """
                <tr><th><a href="\(link(name))">\(name)</a></th>\
                \(cells.map { cell -> HTML in "<td>\(cell)</td>" })</tr>
                """
        }
        let head = [
            text("state", "状態"), text("step", "ステップ"), text("evaluation loss", "評価損失"), text("perplexity", "パープレキシティ"),
            text("alerts", "警告"),
        ]
        return """
            <table class="list"><tr><th>\(text("run", "実行"))</th>\(head.map { cell -> HTML in "<td>\(cell)</td>" })</tr>\
            \(rows)</table>
            """
    }

    private var charts: [Chart] {
        [
            chart("loss", text("Training loss", "学習損失")) { Thinning.means(points($0.steps) { $0.loss }, count: 80) },
            chart("evaluation", text("Evaluation loss", "評価損失"), style: .dots) { points($0.evaluations) { $0.loss } },
            chart("rate", text("Learning rate", "学習率")) { Thinning.extremes(points($0.steps) { $0.learningRate }) },
            chart("gradient", text("Gradient norm", "勾配ノルム")) {
                Thinning.means(points($0.steps) { $0.gradientNorm }, count: 80)
            },
        ]
    }

    private func chart(
        _ id: String, _ title: String, style: Chart.Line.Style = .solid,
        _ course: (RunRecord) -> [(x: Double, y: Double)]
    ) -> Chart {
        let lines = runs.prefix(Self.limit).enumerated().map { place, entry in
            Chart.Line(name: Self.short(entry.name), points: course(entry.run), style: style, color: place)
        }
        let last = lines.flatMap { $0.points.map(\.x) }.max() ?? 1
        return Chart(id: id, title: title, unit: "", lines: lines, steps: 0...max(1, last))
    }
}
