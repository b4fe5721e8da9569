package import MenoMetrics

/// The log of every rank but 0: warnings only, each with the rank.
package struct RankLog: SessionLog {
    private let log: any SessionLog
    private let rank: Int

    package init(_ log: any SessionLog, rank: Int) { (self.log, self.rank) = (log, rank) }

    package func note(_ text: String) {}
    package func warn(_ text: String) { log.warn("rank \(rank): \(text)") }
    package func observers(showsProgress: Bool) -> [any RunObserver] { [Warnings(log: self)] }
    // Rank 0 asks, and the others wait for it.
    package func obtain(_ model: CatalogModel) throws { throw model.absence }

    private struct Warnings: RunObserver {
        let log: RankLog

        func observe(_ event: RunEvent) { if case .warning(let text) = event { log.warn(text) } }
    }
}
