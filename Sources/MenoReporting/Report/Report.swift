public import Foundation
internal import MenoMetrics
internal import MenoMonitor

/// A run's story for a person: `report.html`, one page that needs nothing else, and its charts as SVG files.
public struct Report: Sendable {
    private let run: RunRecord
    private let title: String
    private let language: ReportLanguage

    public init(_ run: RunRecord, title: String, language: ReportLanguage) {
        self.run = run
        self.title = title
        self.language = language
    }

    /// Writes `report.html` and a `chart_NAME.svg` for each chart, each replaced as a whole.
    /// - Returns: the page.
    @discardableResult
    public func write(to folder: URL) throws -> URL {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for chart in RunCharts(run, language: language).all {
                let file = folder.appending(path: RunLayout.chartName(chart.id))
                try Data(SVGChart(chart).file.utf8).write(to: file, options: .atomic)
            }
            let page = folder.appending(path: RunLayout.reportName)
            try Data(html.utf8).write(to: page, options: .atomic)
            return page
        } catch {
            throw ReportError(
                path: folder.path, "the report cannot be written (\(error.localizedDescription)).",
                advice: "Give another folder with --output.")
        }
    }

    /// The page.
    public var html: String { ReportShell.page(title: title, language: language, body: body) }

    /// What stands on the page, and changes while the run goes on.
    public var body: String { ReportPage(run, title: title, language: language).body }
}
