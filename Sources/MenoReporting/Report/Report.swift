package import Foundation
internal import MenoFormats
internal import MenoMetrics
internal import MenoMonitor

/// A run's story for a person: `report.html`, one page that needs nothing else, and its charts as SVG files.
package struct Report: Sendable {
    private let run: RunRecord
    private let title: String
    private let language: ReportLanguage
    /// What a live page has besides: stands below the title.
    private let controls: HTML

    package init(_ run: RunRecord, title: String, language: ReportLanguage, controls: HTML = "") {
        self.controls = controls
        self.run = run
        self.title = title
        self.language = language
    }

    /// Writes `report.html` and a `chart_NAME.svg` for each chart, each replaced as a whole.
    /// - Returns: the page.
    @discardableResult
    package func write(to folder: URL) throws -> URL {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for chart in RunCharts(run, language: language).all {
                let file = folder.appending(path: RunLayout.chartName(chart.id))
                try write(SVGChart(chart).file.text, to: file)
            }
            let page = folder.appending(path: RunLayout.reportName)
            try write(html, to: page)
            return page
        } catch {
            throw ReportError(
                .cannotWrite, at: folder.path, "the report cannot be written (\(error.localizedDescription)).",
                advice: "Write it to another folder.", settings: [.outputFolder])
        }
    }

    /// A run that ends may write its report at the same time as `meno report`.
    private func write(_ text: String, to file: URL) throws {
        try WholeFile.write(Data(text.utf8), to: file, durability: .contents, isShared: true)
    }

    /// The page.
    package var html: String { ReportShell.page(title: title, language: language, body: body) }

    /// What stands on the page, and changes while the run goes on.
    package var body: HTML { ReportPage(run, title: title, language: language, controls: controls).body }
}
